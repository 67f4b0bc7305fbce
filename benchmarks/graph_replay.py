"""What replaying a network's graph costs, as a ratio to the module's own forward pass.

    python benchmarks/graph_replay.py [--rounds 30] [--images 64] [--torchvision [MODEL ...]]

For every example submission: the module and the replay take turns on the same batch, channels_last where the module
takes it, one thread, the worker's allocator settings; printed are the ratios of the medians and of the shortest times,
what tracing took, and whether the logits are equal to the last bit. Weights are random, which costs the same.

With `--torchvision`: traces torchvision's classification models instead, all or those named, runs each graph on meta
tensors, and prints parameters and multiply-accumulates beside the published figures.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import runpy
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from harness.graph.cost import cost
from harness.graph.limits import accepted
from harness.graph.refusal import GraphRefused
from harness.graph.replay import Replay
from harness.torchvision_import import import_torchvision
from harness.worker.model import Model
from harness.worker.trace import trace

SUBMISSIONS = Path(__file__).parents[1] / "submissions"
EXAMPLES = {  # input shape and classes by assignment
    "nycu-ds2023-hw2": ((3, 28, 28), 10),
    "ntu-ml2020-hw7": ((3, 64, 64), 11),
    "ntu-ml2023-hw13": ((3, 64, 64), 11),
}
MALLOC = "glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=4294967296"  # as the worker has it


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=30)
    arguments.add_argument("--images", type=int, default=64)
    arguments.add_argument("--torchvision", nargs="*", metavar="MODEL")
    asked = arguments.parse_args()
    if "GLIBC_TUNABLES" not in os.environ:  # read by the C library when a process starts
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "GLIBC_TUNABLES": MALLOC})
    torch.set_num_threads(1)
    if asked.torchvision is not None:
        published(asked.torchvision)
        return
    for assignment, (shape, classes) in EXAMPLES.items():
        for folder in sorted((SUBMISSIONS / assignment).glob("seed-*")):
            module = runpy.run_path(str(folder / "model.py"))["StudentNet"]()
            one(f"{assignment}/{folder.name}", Model(module, shape), classes, asked.images, asked.rounds)


def one(name: str, model: Model, classes: int, images: int, rounds: int) -> None:
    started = time.perf_counter()
    traced = trace(model.module, model.input_shape, classes, batch=images)
    took = time.perf_counter() - started
    text = json.dumps(traced.graph).encode()
    started = time.perf_counter()
    replay = Replay(accepted(text, model.input_shape, classes))
    accepting = time.perf_counter() - started
    batch = torch.randn(images, *model.input_shape).contiguous(memory_format=model.memory_format)
    passes: dict[str, Callable[[], Any]] = {
        "module": lambda: model.run(batch),
        "replay": lambda: replay(traced.tensors, batch),
    }
    seconds: dict[str, list[float]] = {key: [] for key in passes}
    for number in range(rounds + 2):
        for key in sorted(passes, reverse=bool(number % 2)):
            started = time.perf_counter()
            passes[key]()
            seconds[key].append(time.perf_counter() - started)
    # Medians of pairs that ran after each other: what else the machine does slows both.
    ratio = statistics.median(b / a for a, b in zip(seconds["module"][2:], seconds["replay"][2:], strict=True))
    shortest = min(seconds["replay"]) / min(seconds["module"])
    equal = "bitwise equal" if torch.equal(passes["module"](), passes["replay"]()) else "not equal"
    bare = statistics.median(seconds["module"][2:])
    print(
        f"{name}: {ratio:.3f} (shortest {shortest:.3f}) × the module ({bare * 1000:.1f} ms), {equal}; "
        f"{len(replay.graph.nodes)} nodes, "
        f"traced in {took:.2f} s, accepted in {accepting:.2f} s",
        flush=True,
    )


def published(names: list[str]) -> None:
    """torchvision's classification models, on meta tensors."""
    models = import_torchvision().models
    names = names or models.list_models(models)
    verified = [name for name in names if _verified(models, name)]
    print(f"{len(verified)} of {len(names)} traced, accepted and equal to what is published")


@contextlib.contextmanager
def without_values() -> Iterator[None]:
    """Modules keep meta tensors only, so nothing is initialised; what they compute while being built is real."""
    register, buffers = torch.nn.Module.register_parameter, torch.nn.Module.register_buffer

    def parameter_on_meta(module: torch.nn.Module, name: str, parameter: torch.nn.Parameter | None) -> None:
        register(module, name, None if parameter is None else torch.nn.Parameter(parameter.to("meta")))

    def buffer_on_meta(
        module: torch.nn.Module, name: str, tensor: torch.Tensor | None, persistent: bool = True
    ) -> None:
        buffers(module, name, None if tensor is None else tensor.to("meta"), persistent)

    torch.nn.Module.register_parameter, torch.nn.Module.register_buffer = parameter_on_meta, buffer_on_meta
    try:
        yield
    finally:
        torch.nn.Module.register_parameter, torch.nn.Module.register_buffer = register, buffers


def _verified(models: Any, name: str) -> bool:
    meta = models.get_model_weights(name).DEFAULT.meta
    size = max(meta["min_size"][0], 299 if name == "inception_v3" else 224)
    size = models.get_model_weights(name).DEFAULT.transforms.keywords.get("crop_size", size)
    options = {
        "googlenet": {"init_weights": False, "aux_logits": False},
        "inception_v3": {"init_weights": False},
        "vit_h_14": {"image_size": 518},
    }
    started = time.perf_counter()
    with without_values():
        module = models.get_model(name, weights=None, **options.get(name, {}))
    try:
        traced = trace(module, (3, size, size), 1000)
        graph = accepted(json.dumps(traced.graph).encode(), (3, size, size), 1000, batch=4)
    except GraphRefused as refused:
        print(f"{name}: refused: {refused}", flush=True)
        return False
    macs = cost(graph).macs
    parameters = sum(math.prod(each.shape) for each in graph.tensors.values() if each.kind == "parameter")
    off = macs / (meta["_ops"] * 1e9) - 1
    same = parameters == meta["num_params"] and abs(off) <= 0.015
    print(
        f"{name}: {parameters:,} parameters ({'as' if parameters == meta['num_params'] else 'NOT as'} published), "
        f"{macs / 1e9:.3f} G macs ({off:+.2%}), {len(graph.nodes)} nodes, batch {graph.input.batch or 'any'}, "
        f"{time.perf_counter() - started:.1f} s",
        flush=True,
    )
    return same


if __name__ == "__main__":
    main()
