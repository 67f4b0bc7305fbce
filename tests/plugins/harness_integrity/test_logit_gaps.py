"""Differences of logits that are not all finite."""

from __future__ import annotations

import torch
from harness_integrity.probes import gaps, scale

INF, NAN = float("inf"), float("nan")


def test_equal_infinities_differ_by_nothing_and_others_without_bound() -> None:
    one = torch.tensor([[1.0, -INF], [1.0, -INF], [NAN, 2.0], [NAN, 2.0], [1.0, 2.0]])
    other = torch.tensor([[1.5, -INF], [1.0, 0.0], [NAN, 2.0], [0.0, 2.0], [1.0, 2.0]])
    assert gaps(one, other).tolist() == [0.5, INF, 0.0, INF, 0.0]
    assert scale(one) == 2.0
    assert scale(torch.full((2, 2), -INF)) == 0.0
