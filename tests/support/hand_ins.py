"""A small assignment on random images, and hand-ins for it, written to disk."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from torch import nn

from harness.assignment.loading import Assignment, load
from harness.errors import SandboxUnavailable
from harness.grading.grader import grade_all
from harness.networks.student import SandboxedStudent
from harness.plugins import Plugins
from harness.sandbox import Sandbox, choose
from harness.sandbox.shared_images import SharedImages
from harness.submission.discovery import discover
from harness.submission.reading import Submission, read_submission
from harness.values.results import Result

REPOSITORY = Path(__file__).parents[2]
PLUGINS = Plugins.installed()
CLASSES, SIZE, IMAGES = 4, 8, 40

HONEST = """
import torch
from torch import nn

class StudentNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(192, 4)

    def forward(self, x):
        return self.fc(x.flatten(1))
"""

_ASSIGNMENT = """
id = "small"
title = "Small"
{evaluators}
[submission]
entry_points = ["StudentNet"]
input_sizes = [8]
[data.test]
id = "noise"
dataset = "idx"
path = "data"
[images]
classes = 4
resize = "none"
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]
[limits]
{limits}
[[ranking]]
metric = "accuracy"
higher_is_better = true
"""


def sandbox_called(name: str) -> Sandbox:
    """The sandbox, or a skipped test where it does not work (HARNESS_REQUIRE_ALL=1 makes that a failure)."""
    try:
        return choose(name)
    except SandboxUnavailable as error:
        if os.environ.get("HARNESS_REQUIRE_ALL") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))


def small_assignment(folder: Path, evaluators: Iterable[str] = ("accuracy",), **limits: float) -> Assignment:
    """28x28 would be slow: 40 images of 8x8 random pixels in 4 classes."""
    (folder / "data").mkdir(parents=True)
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (IMAGES, SIZE, SIZE), dtype=np.uint8)
    labels = generator.integers(0, CLASSES, IMAGES, dtype=np.uint8)
    for kind, array in (("images-idx3", pixels), ("labels-idx1", labels)):
        header = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
        (folder / "data" / f"test-{kind}-ubyte").write_bytes(header + array.tobytes())
    generous = {"import_seconds": 40, "build_seconds": 40, "forward_seconds": 40, "request_seconds": 40}
    text = _ASSIGNMENT.format(
        evaluators="\n".join(f"[evaluators.{name}]" for name in evaluators),
        limits="\n".join(f"{name} = {value}" for name, value in {**generous, **limits}.items()),
    )
    (folder / "small.toml").write_text(text)
    return load(str(folder / "small.toml"), PLUGINS)


def linear(seed: int = 0) -> nn.Module:
    """The module of `HONEST`."""
    torch.manual_seed(seed)
    module = nn.Module()
    module.fc = nn.Linear(192, 4)
    return module


def hand_in(folder: Path, source: str = HONEST, state: dict[str, Any] | None = None) -> Path:
    """A submission folder with `model.py` and `weights.pt`."""
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(source)
    torch.save(linear().state_dict() if state is None else state, folder / "weights.pt")
    return folder


def graded(
    assignment: Assignment, paths: Iterable[Path], sandbox: Sandbox, jobs: int = 2, **more: Any
) -> dict[str, Result]:
    """Results by submission; every one exactly once."""
    submissions = discover(list(paths), mode="single")
    results = list(grade_all(assignment, submissions, plugins=PLUGINS, sandbox=sandbox, jobs=jobs, **more))
    assert len(results) == len(submissions)
    return {result.submission: result for result in results}


def staged(path: Path, scratch: Path) -> Submission:
    (found,) = discover([path], mode="single")
    return read_submission(found[1] if isinstance(found, tuple) else found, scratch, PLUGINS.weight_formats)


@contextmanager
def opened(path: Path, assignment: Assignment, sandbox: Sandbox, size: int = SIZE) -> Iterator[SandboxedStudent]:
    """The student of a hand-in, loaded into a worker."""
    with sandbox.box() as box:
        submission = staged(path, box.path)
        shared = SharedImages("a test's secret")
        formats = PLUGINS.weight_format_modules
        with SandboxedStudent(submission, assignment, box, shared, format_modules=formats, input_size=size) as student:
            student.open()
            yield student


def only_evaluators(assignment: Assignment, keep: Callable[[str], bool]) -> Assignment:
    return replace(assignment, options={name: each for name, each in assignment.options.items() if keep(name)})


def processes_with(marker: str) -> list[psutil.Process]:
    """Living processes whose command line contains the marker."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and any(marker in word for word in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return [each for each in found if each.pid != os.getpid()]
