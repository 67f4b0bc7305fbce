"""Bytes of the weights file against a limit of bytes."""

from __future__ import annotations

import pytest
import torch
from harness_model_size import ModelSize, SizeOptions
from student_fakes import FakeStudent, context


def evaluated(size: int, limit: int | None, elements: int = 100):
    student = FakeStudent(decoded={"weight": torch.zeros(elements)}, weights_bytes=size)
    return ModelSize().evaluate(student, context(SizeOptions(limit_bytes=limit)))


def test_without_a_limit_the_size_is_only_measured():
    found = evaluated(387_480, None)
    assert found.checks == ()
    metric = found.metrics["stored_bytes"]
    assert (metric.value, metric.unit, metric.higher_is_better) == (387_480, "bytes", False)


@pytest.mark.parametrize(("size", "verdict"), [(299_999, "passed"), (300_000, "passed"), (300_001, "failed")])
def test_a_limit_may_be_met_exactly(size, verdict):
    (check,) = evaluated(size, 300_000).checks
    assert (check.name, check.verdict) == ("weights_size", verdict)
    assert f"{size:,}" in check.reason
    assert "300,000" in check.reason


def test_an_oversized_file_is_told_which_width_would_fit():
    # HW7's own table: 256,779 parameters are 1,047,430 bytes in fp32, 522,958 in fp16 and 268,472 in 8 bits.
    assert "at 8 bits each would be about 256,779 bytes" in evaluated(1_047_430, 300_000, 256_779).checks[0].hint
    assert "at 16 bits each would be about 241,718 bytes" in evaluated(490_000, 300_000, 120_859).checks[0].hint
    hint = evaluated(1_200_000, 300_000, 300_001).checks[0].hint
    assert hint == "300,001 numbers do not fit even at 8 bits each: the network must become smaller"


@pytest.mark.parametrize("limit", [0, -1, 1.5])
def test_limits_are_whole_and_positive(limit):
    with pytest.raises(ValueError, match="limit_bytes"):
        SizeOptions(limit_bytes=limit)
