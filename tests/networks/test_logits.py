"""Which images get a class, and when none does."""

from __future__ import annotations

import pytest
import torch

from harness.errors import SubmissionError
from harness.networks.logits import predicted_classes, refuse_undefined, undefined

INF, NAN = float("inf"), float("nan")
ROWS = [
    ([1.0, 3.0, 2.0], 1),
    ([2.0, 2.0, 1.0], 0),
    ([-INF, -3.0, -INF], 1),
    ([-INF, INF, 0.0], 1),
    ([-INF, -INF, -INF], 3),
    ([INF, INF, 0.0], 3),
    ([NAN, 3.0, 2.0], 3),
    ([NAN, NAN, NAN], 3),
    ([9.0, 3.0, NAN], 3),
]


def test_an_image_has_the_class_of_its_largest_logit_or_none() -> None:
    logits = torch.tensor([row for row, _ in ROWS])
    assert predicted_classes(logits).tolist() == [found for _, found in ROWS]
    assert undefined(logits).tolist() == [found == 3 for _, found in ROWS]


def test_finite_logits_are_plain_argmax() -> None:
    logits = torch.randn(500, 10, generator=torch.Generator().manual_seed(0))
    assert torch.equal(predicted_classes(logits), logits.argmax(1))


def test_only_logits_without_any_class_are_refused() -> None:
    refuse_undefined(torch.tensor([row for row, _ in ROWS]))
    refuse_undefined(torch.empty(0, 3))
    with pytest.raises(SubmissionError, match="NaN logits for all 2 images"):
        refuse_undefined(torch.tensor([[NAN, 1.0], [2.0, NAN]]))
    with pytest.raises(SubmissionError, match="NaN or infinite logits for all 2 images"):
        refuse_undefined(torch.tensor([[NAN, 1.0], [-INF, -INF]]))
