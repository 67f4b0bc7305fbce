"""The comparison with a large network: paired figures against SciPy and statsmodels' formula by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from curve_fakes import Networked, images_of, networked
from harness_compare import Compare, CompareOptions, difference
from scipy.stats import binomtest
from student_fakes import context
from torch import nn

from harness.api import Checkpoint, Metric, Teacher
from harness.errors import SubmissionError


class Diagonal(nn.Module):
    """Right for the classes below `known`, class 0 for all others; `width` makes it larger without any use."""

    def __init__(self, known: int, width: int = 0):
        super().__init__()
        self.fc = nn.Linear(10, 10, bias=False)
        self.idle = nn.Parameter(torch.ones(width))
        with torch.no_grad():
            self.fc.weight.copy_(torch.diag((torch.arange(10) < known).float()))
            self.fc.weight[0] += 0.01

    def forward(self, x):
        return self.fc(x[:, 0].flatten(1)[:, :10])


LABELS = [*range(10)] * 4


@dataclass
class Listing(Networked):
    checkpoints: Any = field(default_factory=dict)
    methods: Any = field(default_factory=dict)
    teacher: Any = None
    files: Any = field(default_factory=dict)

    def load(self, checkpoint):
        if checkpoint.file not in self.files:
            raise SubmissionError("rejected", "the weights file cannot be read")
        return self.files[checkpoint.file]


def evaluated(tmp_path, width: int = 50, **options):
    student = networked(Diagonal(6), tmp_path, Listing)
    student.methods = {"kd": Checkpoint(file="kd.pt"), "broken": Checkpoint(file="gone.pt")}
    (tmp_path / "kd").mkdir()
    student.files = {
        "kd.pt": networked(Diagonal(8), tmp_path / "kd"),
        "t.pt": networked(Diagonal(9, 50), tmp_path / "kd"),
    }
    large = networked(Diagonal(9, width), tmp_path)
    graded = images_of(LABELS)
    predictions = large.logits(graded.images).argmax(1).numpy()
    given = Teacher("big net", large.decoded, large.facts, 1234, predictions)
    if options.get("teacher") == "submission":
        student.teacher = Checkpoint(file="t.pt")
    return Compare().evaluate(student, context(CompareOptions(**options), examples=graded, teacher=lambda: given))


def test_every_network_is_held_against_the_large_one(tmp_path):
    found = evaluated(tmp_path)
    (table,) = found.tables
    assert [row.label for row in table.rows] == ["big net", "as handed in", "kd"]
    cells = [dict(zip(table.columns, row.cells, strict=True)) for row in table.rows]
    assert [each["parameters"].value for each in cells] == [150, 100, 100]
    assert [each["accuracy"].value for each in cells] == [0.9, 0.6, 0.8]
    assert [each["MACs"].value for each in cells] == [1234, 100, 100]
    assert cells[0]["difference"] is cells[0]["p (McNemar)"] is None
    assert cells[1]["difference"].value == pytest.approx(-0.3)
    # 12 images only the teacher has right, none only the student: the sign test
    assert cells[1]["p (McNemar)"] == f"{binomtest(0, 12).pvalue:.4f}"
    assert cells[2]["p (McNemar)"] == f"{binomtest(0, 4).pvalue:.4f}"
    assert found.metrics["teacher_accuracy"].value == 0.9
    assert found.metrics["difference_to_teacher"] == cells[1]["difference"]
    assert [(each.name, each.verdict) for each in found.checks] == [
        ("smaller_than_teacher", "passed"), ("compare", "could_not_check")
    ]  # fmt: skip
    assert found.checks[1].reason == "broken: the weights file cannot be read"


def test_a_student_as_large_as_its_teacher_fails(tmp_path):
    found = evaluated(tmp_path, width=0)
    assert (found.checks[0].name, found.checks[0].verdict) == ("smaller_than_teacher", "failed")
    assert found.checks[0].reason == "100 parameters, big net has 100"


def test_the_teacher_may_be_handed_in(tmp_path):
    found = evaluated(tmp_path, teacher="submission")
    assert found.tables[0].rows[0].label == "teacher"
    assert found.tables[0].rows[0].cells[0] == Metric(value=150, unit="parameters", higher_is_better=False)


def test_fewer_images_are_the_same_for_all(tmp_path):
    found = evaluated(tmp_path, images=10)
    # every fourth of 0…9 0…9 …: classes 0 4 8 2 6 0 4 8 2 6
    assert [row.cells[3].value for row in found.tables[0].rows] == [1.0, 0.6, 0.8]


def test_the_interval_of_a_paired_difference_by_hand():
    one = np.array([True] * 70 + [False] * 30)
    other = np.array([True] * 60 + [False] * 25 + [True] * 15)  # b = 10, c = 15 of 100
    found = difference(one, other)
    half = 1.959963984540054 * math.sqrt(25 - 25 / 100) / 100
    assert found.value == pytest.approx(-0.05)
    assert (found.low, found.high) == (pytest.approx(-0.05 - half), pytest.approx(-0.05 + half))


def test_without_a_teacher_nothing_is_compared(tmp_path):
    student = networked(Diagonal(6), tmp_path, Listing)

    def broken():
        raise SubmissionError("rejected", "the assignment's teacher cannot be used: there is no file")

    for options, teacher, reason in (
        (CompareOptions(), lambda: None, "the assignment has no [teacher]"),
        (CompareOptions(), broken, "cannot be used: there is no file"),
        (CompareOptions(teacher="submission"), lambda: None, "no teacher was handed in"),
    ):
        found = Compare().evaluate(student, context(options, examples=images_of(LABELS), teacher=teacher))
        assert [(each.name, each.verdict) for each in found.checks] == [("compare", "could_not_check")]
        assert reason in found.checks[0].reason
        assert found.tables == ()
