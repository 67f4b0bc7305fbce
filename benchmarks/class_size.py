"""Whether a submission costs the same in a class of 10, 100 and 1,000, in time and in memory.

    python benchmarks/class_size.py [--sizes 10 100 1000] [--images 500] [--sandbox bwrap]

Copies of one submission, on the first images of the embedded test set. Printed for each size: seconds for each
submission, as a ratio to the smallest class; memory of the grader (resident) and of all its zygotes (their share) when
half of the class and when all of it is graded; the grader's open descriptors and the boxes at the end.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import struct
import tempfile
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import by_hand
import psutil
import torch

from harness.assignment.loading import Assignment, load
from harness.grading.grader import grade_all
from harness.plugins import Plugins
from harness.sandbox import Sandbox, choose
from harness.submission.discovery import discover

SUBMISSION = Path(__file__).parents[1] / "submissions" / "nycu-ds2023-hw2" / "seed-001"
EVALUATORS = ("parameter_limit", "kd_loss", "accuracy")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1000])
    arguments.add_argument("--images", type=int, default=500)
    arguments.add_argument("--sandbox", default="bwrap")
    asked = arguments.parse_args()
    torch.set_num_threads(1)
    plugins, sandbox = Plugins.installed(), choose(asked.sandbox)
    with tempfile.TemporaryDirectory() as scratch:
        assignment = counted(plugins, {"test": first_images(Path(scratch, "data"), asked.images)})
        graded(Path(scratch, "warm"), 2, assignment, plugins, sandbox)
        first = None
        for size in asked.sizes:
            seconds, notes = graded(Path(scratch, f"class-{size}"), size, assignment, plugins, sandbox)
            first = first or seconds
            print(
                f"{size:5} submissions: {seconds:.3f} s each, {seconds / first:.2f} of the first; {notes}", flush=True
            )


def counted(plugins: Plugins, data: Mapping[str, Path] | None = None, more: Collection[str] = ()) -> Assignment:
    """The assignment with what every contender of these benchmarks does, and nothing else but the evaluators `more`."""
    assignment = load("nycu-ds2023-hw2", plugins, data=data)
    options = {name: each for name, each in assignment.options.items() if name in (*EVALUATORS, *more)}
    return replace(assignment, options=options, class_options={})


def graded(folder: Path, size: int, assignment: Assignment, plugins: Plugins, sandbox: Sandbox) -> tuple[float, str]:
    for number in range(size):
        shutil.copytree(SUBMISSION, folder / f"student-{number:04}")
    jobs = len(os.sched_getaffinity(0))
    memory = []
    started = time.perf_counter()
    results = grade_all(assignment, discover([folder]), plugins=plugins, sandbox=sandbox, jobs=jobs)
    for number, result in enumerate(results, start=1):
        assert result.status == "graded", result.reason
        if number in (size // 2, size):
            memory.append(" + ".join(f"{each / 2**20:.0f}" for each in resident()))
    taken = (time.perf_counter() - started) / size
    boxes = len(list(Path(tempfile.gettempdir()).glob("harness-room-*")))
    shutil.rmtree(folder)
    return taken, f"MiB of grader + zygotes {', then '.join(memory)}; {psutil.Process().num_fds()} fds, {boxes} boxes"


def resident() -> tuple[int, int]:
    grader = psutil.Process()
    children = 0
    for each in grader.children(recursive=True):
        try:
            children += each.memory_full_info().pss
        except psutil.Error:
            continue
    return grader.memory_info().rss, children


def first_images(folder: Path, count: int) -> Path:
    """The first images of the embedded test set, in its own format."""
    folder.mkdir()
    for file in by_hand.DATA.glob("*.gz"):
        content = gzip.decompress(file.read_bytes())
        kind, dimensions = content[:4], content[3]
        shape = struct.unpack(f">{dimensions}I", content[4 : 4 + 4 * dimensions])
        size = count
        for each in shape[1:]:
            size *= each
        header = kind + struct.pack(f">{dimensions}I", count, *shape[1:])
        start = 4 + 4 * dimensions
        (folder / file.stem).write_bytes(header + content[start : start + size])
    return folder


if __name__ == "__main__":
    main()
