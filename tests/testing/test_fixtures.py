"""The fixtures that pytest finds by itself, and what the functions make."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from harness_datasets.idx import IdxDataset

from harness.api import Board, Student, SubmissionError
from harness.assignment.loading import load
from harness.plugins import Plugins
from harness.testing import context_of, student_of, tiny_network
from harness.testing.files import noise


def test_the_assignment_is_valid(harness_assignment: Path) -> None:
    assert load(str(harness_assignment), Plugins.installed()).rules.images.classes == 4
    raw = IdxDataset().load(harness_assignment.parent / "data")
    assert np.array_equal(raw.labels, noise()[1])
    assert np.array_equal(np.asarray(raw.images[3]), noise()[0][3])


def test_the_student_is_verified_and_answers_as_torch_does(harness_student: Student) -> None:
    assert harness_student.verification.verified
    images: Any = context_of(Plugins.installed().evaluators["accuracy"]).examples.images
    with torch.no_grad():
        expected = tiny_network()((images.pixels / 255 - 0.5) / 0.5)
    torch.testing.assert_close(harness_student.logits(images), expected)


def test_a_network_that_fails_is_the_hand_in_s_fault() -> None:
    broken = tiny_network()
    broken[4] = torch.nn.Linear(5, 4)
    images = context_of(Plugins.installed().evaluators["accuracy"]).examples.images
    with pytest.raises(SubmissionError, match="shapes cannot be multiplied"):
        student_of(broken).logits(images)


def test_the_board_has_a_formula_for_a_name(harness_board: Board) -> None:
    assert [row.rank for row in harness_board.standings] == [1, 2, 3]
    assert harness_board.standings[2].name.startswith("=")
    assert [row.status for row in harness_board.unranked] == ["crashed"]


def test_pytest_elsewhere_does_not_wait_for_torch() -> None:
    code = (
        "import sys, harness.testing; print({'torch', 'pydantic', 'numpy', 'pluggy_', 'sqlalchemy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "set()\n"
