"""What honest pairs and copies reach on the scale of `similarity`, with networks trained here for a few minutes.

    python benchmarks/similarity_calibration.py [--steps 120] [--students 4] [--network seed-001]

For each architecture of the example class, students train from seeds of their own on the 10,000 Fashion-MNIST images;
one more begins with the first one's initial weights and trains on other batches; one goes on training the first one's
network for as long again and at the same rate. The rest are the first one's weights, changed. "In place" is the mean
cosine as the weights stand, "matched" what remains when the channels are matched: reordering a copy changes only the
former.
"""

from __future__ import annotations

import argparse
import runpy
import sys
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import torch
import torch.nn.functional as F
from harness_similarity.layers import Network, network
from harness_similarity.matching import Matcher, in_place
from torch import Tensor, nn

from harness.assignment.loading import load
from harness.data.images import load_examples
from harness.plugins import Plugins

SUBMISSIONS = Path(__file__).parents[1] / "submissions" / "nycu-ds2023-hw2"
State = dict[str, Tensor]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--steps", type=int, default=120)
    arguments.add_argument("--students", type=int, default=4)
    arguments.add_argument("--network", action="append", choices=("seed-001", "seed-002"))
    asked = arguments.parse_args()
    torch.set_num_threads(1)
    plugins = Plugins.installed()
    examples = load_examples(load("nycu-ds2023-hw2", plugins), "test", 28, plugins.datasets)
    pixels = (examples.images.pixels.float() / 255 - 0.5) / 0.5
    labels = torch.from_numpy(examples.labels)
    for name in asked.network or ("seed-001", "seed-002"):
        made = runpy.run_path(str(SUBMISSIONS / name / "model.py"))["StudentNet"]
        calibrate(
            name, made, asked.students, lambda module, batches: train(module, pixels, labels, asked.steps, batches)
        )


def calibrate(
    name: str, made: Callable[[], nn.Module], count: int, trained: Callable[[nn.Module, int], tuple[State, float]]
) -> None:
    states, accuracies = zip(*(trained(begun(made, seed), seed) for seed in range(count)), strict=True)
    first = states[0]
    further = made()
    further.load_state_dict(first)
    same_start, more = trained(begun(made, 0), 1000)[0], trained(further, 2000)[0]
    copies = {
        "same start, other batches": same_start,
        "trained on for as long again": more,
        "rounded to 8 bits": changed(first, lambda each: rounded(each, 8)),
        "rounded to 4 bits": changed(first, lambda each: rounded(each, 4)),
        **{f"{share} % pruned": changed(first, lambda each, s=share: pruned(each, s / 100)) for share in (50, 70, 90)},
    }
    print(f"\n{name}, {len(states)} independent students, right on the last batches: {min(accuracies):.0%} at least")
    networks = [as_network(state) for state in states]
    show("independent, the most alike pair", *zip(*(scores(*pair) for pair in combinations(networks, 2)), strict=True))
    for words, state in copies.items():
        show(words, *([each] for each in scores(networks[0], as_network(state))))


def begun(made: Callable[[], nn.Module], seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return made()


def train(module: nn.Module, pixels: Tensor, labels: Tensor, steps: int, batches: int) -> tuple[State, float]:
    """One cycle of Adam with batches of 64, and the share that was right in the last ten."""
    random = torch.Generator().manual_seed(batches)
    optimiser = torch.optim.Adam(module.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    module.train()
    right: list[float] = []
    for _ in range(steps):
        rows = torch.randint(0, len(labels), (64,), generator=random)
        logits = module(pixels[rows])
        optimiser.zero_grad()
        F.cross_entropy(logits, labels[rows]).backward()
        optimiser.step()
        schedule.step()
        right.append(float((logits.argmax(dim=1) == labels[rows]).float().mean()))
    return {name: each.clone() for name, each in module.state_dict().items()}, sum(right[-10:]) / 10


def changed(state: State, change: Callable[[Tensor], Tensor]) -> State:
    return {name: change(each) if each.dim() > 1 else each for name, each in state.items()}


def rounded(weight: Tensor, bits: int) -> Tensor:
    low = weight.min()
    step = (weight.max() - low) / (2**bits - 1)
    return torch.round((weight - low) / step) * step + low


def pruned(weight: Tensor, share: float) -> Tensor:
    floor = weight.abs().reshape(-1).kthvalue(max(1, int(share * weight.numel()))).values
    return weight * (weight.abs() > floor)


def as_network(state: State) -> Network:
    return network("", {name: each.numpy() for name, each in state.items() if each.is_floating_point()})


def scores(one: Network, other: Network) -> tuple[float, float]:
    places = [(place, place) for place in range(len(one.layers))]
    return float(in_place([one], [other], places)[0, 0]), Matcher(-1).match(one, other, places).resemblance


def show(words: str, placed: tuple[float, ...] | list[float], matched: tuple[float, ...] | list[float]) -> None:
    print(f"  {words:34} in place {max(placed):6.3f}   matched {max(matched):6.3f}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
