"""Small networks that students might train, and ways to make a copy look like another network."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from integrity_fakes import Net, fashion, normalised, trained
from torch import Tensor, nn

from harness.api import ClassEntry
from harness.store.weights import file_digest, packed, unpacked

State = dict[str, Tensor]


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


class Residual(nn.Module):
    """Channels that meet in a sum must keep one order."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 3, stride=2, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(12)
        self.one, self.two = Block(12), Block(12)
        self.fc = nn.Linear(12 * 9, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.two(self.one(F.relu(self.bn(self.stem(x)))))
        return self.fc(F.adaptive_avg_pool2d(x, 3).flatten(1))


class Depthwise(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 3, stride=2, padding=1)
        self.bn = nn.BatchNorm2d(12)
        self.deep = nn.Conv2d(12, 12, 3, padding=1, groups=12)
        self.point = nn.Conv2d(12, 24, 1)
        self.bn2 = nn.BatchNorm2d(24)
        self.deep2 = nn.Conv2d(24, 24, 3, stride=2, padding=1, groups=24)
        self.point2 = nn.Conv2d(24, 24, 1)
        self.fc = nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn(self.stem(x)))
        x = F.relu(self.bn2(self.point(self.deep(x))))
        x = F.relu(self.point2(self.deep2(x)))
        return self.fc(x.mean(dim=(2, 3)))


@dataclass(frozen=True)
class Channels:
    """Channels that may be reordered together: tensors by the axis they stand on, the flattened ones in blocks."""

    made_by: Sequence[str]
    """Tensors whose first axis they are."""
    read_by: Sequence[str]
    """Weights whose second axis they are."""
    scaled: Sequence[str] = ()
    """Of `made_by`, those that carry the scale of what the next layer reads; empty where a scale cannot be moved."""


def _norm(name: str) -> list[str]:
    return [f"{name}.{each}" for each in ("weight", "bias", "running_mean", "running_var")]


ARCHITECTURES: dict[str, tuple[Callable[[], nn.Module], list[Channels]]] = {
    "plain": (
        Net,
        [
            Channels(["a.weight", "a.bias", *_norm("bn")], ["b.weight"], ["bn.weight", "bn.bias"]),
            Channels(["b.weight", "b.bias"], ["fc.weight"], ["b.weight", "b.bias"]),
        ],
    ),
    "residual": (
        Residual,
        [
            Channels(
                ["stem.weight", *_norm("bn"), *(n for b in ("one", "two") for n in (f"{b}.conv2.weight", *_norm(f"{b}.bn2")))],
                ["one.conv1.weight", "two.conv1.weight", "fc.weight"],
            ),
            Channels(["one.conv1.weight", *_norm("one.bn1")], ["one.conv2.weight"], ["one.bn1.weight", "one.bn1.bias"]),
            Channels(["two.conv1.weight", *_norm("two.bn1")], ["two.conv2.weight"], ["two.bn1.weight", "two.bn1.bias"]),
        ],
    ),
    "depthwise": (
        Depthwise,
        [
            Channels(["stem.weight", "stem.bias", *_norm("bn"), "deep.weight", "deep.bias"], ["point.weight"], ["deep.weight", "deep.bias"]),
            Channels(["point.weight", "point.bias", *_norm("bn2"), "deep2.weight", "deep2.bias"], ["point2.weight"], ["deep2.weight", "deep2.bias"]),
            Channels(["point2.weight", "point2.bias"], ["fc.weight"], ["point2.weight", "point2.bias"]),
        ],
    ),
}  # fmt: skip
STEPS = {"plain": 120, "residual": 80, "depthwise": 80}


@cache
def student(kind: str, start: int, order: int | None = None) -> State:
    """A network trained from the initial weights of seed `start`, on images in the order of another seed."""
    torch.manual_seed(start)
    module = ARCHITECTURES[kind][0]()
    return trained(module, STEPS[kind], start if order is None else order).state_dict()


def tuned(kind: str, state: State, steps: int, order: int) -> State:
    return trained(module_of(kind, state), steps, order).state_dict()


def module_of(kind: str, state: State) -> nn.Module:
    module = ARCHITECTURES[kind][0]()
    module.load_state_dict(state)
    return module.eval()


def reordered(kind: str, state: State, seed: int) -> State:
    """The same function with every channel elsewhere, and scales of 1/30 to 30 moved between layers."""
    random = torch.Generator().manual_seed(seed)
    copy = {name: each.clone() for name, each in state.items()}
    for channels in ARCHITECTURES[kind][1]:
        width = len(copy[channels.made_by[0]])
        order = torch.randperm(width, generator=random)
        scale = torch.exp((2 * torch.rand(width, generator=random) - 1) * 3.4)
        for name in channels.made_by:
            copy[name] = copy[name][order]
        for name in channels.read_by:
            block = copy[name].shape[1] // width
            shape = copy[name].shape
            blocks = copy[name].reshape(shape[0], width, block, -1)[:, order]
            if channels.scaled:
                blocks = blocks / scale.view(1, -1, 1, 1)
            copy[name] = blocks.reshape(shape)
        for name in channels.scaled:
            copy[name] = copy[name] * scale.view(-1, *[1] * (copy[name].dim() - 1))
    return copy


def rounded(state: State) -> State:
    """HW7's 8 bits, tensor by tensor."""
    return {name: _eight_bits(each) if each.is_floating_point() else each for name, each in state.items()}


def pruned(state: State, share: float) -> State:
    """The smallest weights of all convolutions and linear layers set to zero."""
    every = torch.cat([each.abs().reshape(-1) for each in state.values() if each.dim() > 1])
    floor = every.kthvalue(int(share * len(every))).values
    return {name: each * (each.abs() > floor) if each.dim() > 1 else each for name, each in state.items()}


def renamed(state: State) -> State:
    return {f"net.{number}": each for number, each in enumerate(state.values())}


def folded(state: State, norms: dict[str, str]) -> State:
    """BatchNorm (key) multiplied into the convolution before it (value), and gone."""
    copy = {name: each.clone() for name, each in state.items() if name.rpartition(".")[0] not in norms}
    for norm, layer in norms.items():
        scale = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + 1e-5)
        weight = f"{layer}.weight"
        copy[weight] = copy[weight] * scale.view(-1, 1, 1, 1)
    return copy


def narrowed(state: State, kept: int) -> State:
    """`Net` with the `kept` largest channels of its first convolution."""
    rows = state["a.weight"].abs().sum(dim=(1, 2, 3)).topk(kept).indices.sort().values
    cut = {
        name: each[rows] if name.split(".")[0] in {"a", "bn"} and each.dim() else each for name, each in state.items()
    }
    return cut | {"b.weight": state["b.weight"][:, rows]}


def entry(name: str, state: State, predictions: Sequence[int] | None = None, file: bytes | None = None) -> ClassEntry:
    """As it comes out of the store."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pt"
        path.write_bytes(name.encode() if file is None else file)
        data = packed(state, file_digest(path))
    assert data is not None
    kept = unpacked(data)
    answers = None if predictions is None else tuple(predictions)
    return ClassEntry(name, kept.weights, kept.digests, kept.file_digest, answers, None)


@torch.no_grad()
def answers(kind: str, state: State, count: int = 200) -> Tensor:
    return module_of(kind, state)(normalised(fashion(count).images.pixels[:count]))


def _eight_bits(weight: Tensor) -> Tensor:
    low, high = float(weight.min()), float(weight.max())
    step = (high - low) / 255 or 1.0
    return torch.round((weight - low) / step) * step + low
