"""What a curve of 20 points costs, as a ratio to 20 bare forward passes of the same network over the same images.

    python benchmarks/curve_cost.py [--images 1000]

Two ratios, each of things that take turns or contain each other, so that a busy machine slows both:

- evaluation / bare: `student.logits` through the sandbox against the network in this process, one thread, the same
  batches, memory format and allocator settings, nothing sent anywhere; medians of 20 of each, in turns;
- curve / evaluations: all of an evaluator's time, from the first sort to the finished curve, against the time it
  spends inside `student.logits`.

Their product is the curve's cost in bare passes.
"""

from __future__ import annotations

import argparse
import os
import runpy
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness_accuracy import accuracy
from harness_curves.points import subset
from harness_curves.pruning import PruningCurve, PruningOptions
from harness_curves.quantization import QuantizationCurve, QuantizationOptions

from harness.api import Context, Evaluator, Examples, Options
from harness.assignment.loading import load
from harness.data.images import load_examples
from harness.networks.remote import batches_of
from harness.networks.student import SandboxedStudent
from harness.plugins import Plugins
from harness.sandbox import choose
from harness.sandbox.shared_images import SharedImages
from harness.submission.hand_in import HandIn
from harness.submission.reading import read_submission
from harness.worker.model import Model

SUBMISSION = Path(__file__).parents[1] / "submissions" / "nycu-ds2023-hw2" / "seed-001"
POINTS = 20
MALLOC = "glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=4294967296"  # as the worker has it


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--images", type=int, default=1000)
    asked = arguments.parse_args()
    if "GLIBC_TUNABLES" not in os.environ:  # read by the C library when a process starts
        environment = {**os.environ, "GLIBC_TUNABLES": MALLOC}
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)
    torch.set_num_threads(1)
    plugins = Plugins.installed()
    assignment = load("nycu-ds2023-hw2", plugins)
    every = load_examples(assignment, "test", 28, plugins.datasets)
    graded = subset(every, np.arange(asked.images) * len(every.labels) // asked.images)
    with choose("auto").box() as box:
        submission = read_submission(HandIn(SUBMISSION.name, SUBMISSION), box.path, plugins.weight_formats)
        shared, formats = SharedImages(""), plugins.weight_format_modules
        with SandboxedStudent(submission, assignment, box, shared, format_modules=formats, input_size=28) as student:
            student.open()
            print(f"{POINTS} points, {asked.images:,} images, {SUBMISSION.name}, one thread")
            evaluation = evaluation_over_bare(student, graded)
            accuracy(np.ones(1, dtype=bool))  # imports SciPy, once per grading run
            curves = {
                "pruning": (PruningCurve(), pruning()),
                "quantisation": (QuantizationCurve(), quantization()),
            }
            for name, (evaluator, options) in curves.items():
                ratio = curve_over_evaluations(evaluator, options, student, graded)
                print(f"{name}: {ratio:.3f} × its evaluations, {ratio * evaluation:.2f} × {POINTS} bare passes")


def evaluation_over_bare(student: SandboxedStudent, graded: Examples) -> float:
    module = runpy.run_path(str(SUBMISSION / "model.py"))["StudentNet"]()
    model = Model(module, (3, 28, 28))
    model.load(student.weights)
    logits = torch.empty(len(graded.labels), graded.classes)
    bare, sent = [], []
    for _ in range(POINTS + 1):
        bare.append(timed(lambda: model.forward(graded.images.pixels, logits, batches_of(graded.images, 64))))
        sent.append(timed(lambda: student.logits(graded.images)))
    # The first pair pays for shared images and first allocations.
    one, other = statistics.median(bare[1:]), statistics.median(sent[1:])
    print(f"bare pass {one * 1000:.0f} ms, evaluation {other * 1000:.0f} ms: {other / one:.2f}")
    return other / one


def curve_over_evaluations(
    evaluator: Evaluator, options: Options, student: SandboxedStudent, graded: Examples
) -> float:
    inside: list[float] = []
    plain = student.logits

    def logits(*given: Any) -> torch.Tensor:
        started = time.perf_counter()
        answer = plain(*given)
        inside.append(time.perf_counter() - started)
        return answer

    student.logits = logits
    try:
        whole = timed(lambda: evaluator.evaluate(student, context(options, graded)))
    finally:
        student.logits = plain
    assert len(inside) == POINTS, len(inside)
    return whole / sum(inside)


def pruning() -> PruningOptions:
    return PruningOptions(methods=("global_l1",), fractions=tuple(each / POINTS for each in range(1, POINTS)))


def quantization() -> QuantizationOptions:
    return QuantizationOptions(schemes=("per_tensor", "per_channel"), bits=tuple(range(11, 2, -1)))


def context(options: Options, graded: Examples) -> Context:
    return Context(
        options=options, examples=graded, public=np.ones(len(graded.labels), dtype=bool), split=False,
        audience="instructor", input_size=28, measured={}, kd_functions=(), limit_seconds=60,
    )  # fmt: skip


def timed(way: Callable[[], object]) -> float:
    started = time.perf_counter()
    way()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
