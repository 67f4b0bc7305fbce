"""Grade the tiny hand-in as an instructor would, with plugins that need not be installed."""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest

from harness.assignment.loading import load
from harness.errors import SandboxUnavailable
from harness.grading.grader import grade_all
from harness.plugins import Plugins
from harness.sandbox import choose
from harness.submission.discovery import discover
from harness.values.results import Result


def grade(assignment: Path, hand_in: Path, modules: tuple[Any, ...]) -> Result:
    """See `harness.testing.harness_graded`."""
    try:
        sandbox = choose("auto")
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    plugins = shipped_and(*modules)
    found = discover([hand_in], mode="single")
    (result,) = grade_all(load(str(assignment), plugins), found, plugins=plugins, sandbox=sandbox, jobs=1)
    return result


def shipped_and(*modules: Any) -> Plugins:
    """The plugins that come with the harness, and these; whatever else is installed."""
    shipped = distribution("compress-harness").entry_points.select(group="harness")
    return Plugins.of(*(each.load() for each in sorted(shipped, key=lambda each: each.name)), *modules)
