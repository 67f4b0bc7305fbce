"""A small assignment on random images, and hand-ins for it, written to disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import torch
from builders import SIZE, limits, noise, write_assignment, write_idx
from requirements import lacking
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

PLUGINS = Plugins.installed()
# Where two processes run tests, each has one processor.
_JOBS = 1 if "PYTEST_XDIST_WORKER" in os.environ else 2
IMAGES = 40

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


def sandbox_called(name: str) -> Sandbox:
    """The sandbox, or a skipped test where it does not work (HARNESS_REQUIRE_ALL=1 makes that a failure)."""
    try:
        return choose(name)
    except SandboxUnavailable as error:
        lacking(str(error))


def small_assignment(folder: Path, evaluators: Iterable[str] = ("accuracy",), **changed: float) -> Assignment:
    """40 images of 8x8 random pixels in 4 classes; limits that only an endless loop reaches, or those given."""
    write_idx(folder / "data", *noise(IMAGES))
    path = write_assignment(folder, evaluators={name: {} for name in evaluators}, limits={**limits(40), **changed})
    return load(str(path), PLUGINS)


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
    assignment: Assignment,
    paths: Iterable[Path],
    sandbox: Sandbox,
    jobs: int = _JOBS,
    plugins: Plugins = PLUGINS,
    **more: Any,
) -> dict[str, Result]:
    """Results by submission; every one exactly once."""
    submissions = discover(list(paths), mode="single")
    results = list(grade_all(assignment, submissions, plugins=plugins, sandbox=sandbox, jobs=jobs, **more))
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
