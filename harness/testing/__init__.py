"""Test plugins: a tiny assignment, networks in memory, what evaluators are handed, and a hand-in behind a real wall.

pytest finds the fixtures by itself wherever the harness is installed; the functions are imported.

    from harness.testing import assert_evaluator

    def test_it_keeps_the_rules():
        assert_evaluator(Smoothness(), {"largest": 3.0})

Importing this imports neither torch nor any other part of the harness; its functions do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from torch import nn

    from harness.contracts.evaluator import Context, Evaluator
    from harness.contracts.network import Student
    from harness.values.board import Board
    from harness.values.results import Result

__all__ = [
    "assert_evaluator",
    "board_of",
    "context_of",
    "student_of",
    "tiny_assignment",
    "tiny_hand_in",
    "tiny_network",
]

CLASSES, SIZE = 4, 8
"""Of the tiny assignment: its images are 3x8x8."""


def assert_evaluator(
    evaluator: Evaluator[Any], options: Mapping[str, Any] | None = None, *, student: Student | None = None
) -> None:
    """Hold an evaluator to what every grader relies on.

    It finds what it declares and no NaN, finds the same again, changes nothing that it is handed, tells students
    nothing of private images, and survives logits that are infinite, NaN or all the same.

    Args:
        options: its table in an assignment.
        student: what it is run on; absent: the tiny network.

    Raises:
        AssertionError: every broken rule, with what to do about it.
    """
    from harness.testing.conformance import broken_rules

    broken = broken_rules(evaluator, options or {}, student or student_of())
    assert not broken, "\n".join(f"{evaluator.name}: {each}" for each in broken)


def tiny_network(seed: int = 0) -> nn.Module:
    """An untrained network from 3x8x8 images to 4 classes: a convolution, BatchNorm and a linear layer."""
    from harness.testing.tiny import network

    return network(seed)


def student_of(module: nn.Module | None = None, *, kd_loss: Callable[..., Any] | None = None) -> Student:
    """A network of this process as evaluators see one, with its graph where it can be traced.

    Args:
        module: from 3x8x8 images to 4 classes; absent: the tiny network.
    """
    from harness.testing.tiny import student

    return student(tiny_network() if module is None else module, kd_loss)


def context_of(evaluator: Evaluator[Any], options: Mapping[str, Any] | None = None, **changes: Any) -> Context[Any]:
    """What an evaluator may know: 40 random images, every other one public.

    Args:
        options: its table in an assignment.
        changes: other values for fields of `harness.api.Context`.

    Raises:
        AssertionError: the options are wrong; all mistakes are named.
    """
    from harness.testing.tiny import context

    return context(evaluator, options or {}, **changes)


def tiny_assignment(folder: Path, evaluators: Mapping[str, Mapping[str, Any]] | None = None) -> Path:
    """Write `tiny.toml` and its 40 images.

    Args:
        evaluators: their tables; absent: `accuracy` without options.
    """
    from harness.testing.files import write_assignment

    return write_assignment(folder, {"accuracy": {}} if evaluators is None else evaluators)


def tiny_hand_in(folder: Path) -> Path:
    """Write a hand-in for it: the tiny network's source, and its weights as safetensors."""
    from harness.testing.files import write_hand_in

    return write_hand_in(folder)


def board_of(*results: Result) -> Board:
    """The instructor's board of these results; without any, of three who were graded and one whose code crashed."""
    from harness.testing.boards import board

    return board(results)


@pytest.fixture
def harness_assignment(tmp_path: Path) -> Path:
    """The file of the tiny assignment."""
    return tiny_assignment(tmp_path / "assignment")


@pytest.fixture
def harness_hand_in(tmp_path: Path) -> Path:
    """The folder of a hand-in for the tiny assignment."""
    return tiny_hand_in(tmp_path / "hand_in")


@pytest.fixture
def harness_student() -> Student:
    """The tiny network as evaluators see one."""
    return student_of()


@pytest.fixture
def harness_board() -> Board:
    """See `board_of`."""
    return board_of()


@pytest.fixture
def harness_graded(tmp_path: Path, harness_hand_in: Path) -> Callable[..., Result]:
    """Grade the tiny hand-in behind a wall, as an instructor would; skips the test where no wall works.

    Called with the `evaluators` of the assignment, as for `tiny_assignment`, and with `plugins`, modules that need not
    be installed; gives the `Result`.
    """

    def graded(evaluators: Mapping[str, Mapping[str, Any]], plugins: tuple[Any, ...] = ()) -> Result:
        from harness.testing.grading import grade

        return grade(tiny_assignment(tmp_path / "graded", evaluators), harness_hand_in, plugins)

    return graded
