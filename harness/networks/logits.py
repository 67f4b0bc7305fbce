"""Tell the class that logits name, where they name one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import SubmissionError

if TYPE_CHECKING:
    from torch import Tensor


def undefined(logits: Tensor) -> Tensor:
    """Which images get no class: bool [N], true where a logit is NaN or several share an infinite maximum.

    log(softmax(x)) gives -inf for classes that are out of the question, which says no less clearly which one it is.
    """
    import torch

    largest = logits.amax(dim=1, keepdim=True)
    tied = (logits == largest).sum(dim=1) > 1
    return torch.isnan(logits).any(dim=1) | (torch.isinf(largest[:, 0]) & tied)


def predicted_classes(logits: Tensor) -> Tensor:
    """The class of the largest logit, int64 [N]; exact ties go to the lowest class.

    An image that gets none has the number after the last class, which is no image's label: it is wrong.
    """
    import torch

    none = torch.full((len(logits),), logits.shape[1], dtype=torch.int64)
    return torch.where(undefined(logits), none, torch.nan_to_num(logits, nan=0.0).argmax(dim=1))


def refuse_undefined(logits: Tensor) -> None:
    """Raise SubmissionError when no image gets a class."""
    without = undefined(logits)
    if len(logits) and bool(without.all()):
        kind = "NaN" if bool(logits.isnan().any(dim=1).all()) else "NaN or infinite"
        raise SubmissionError(
            "rejected",
            f"forward returned {kind} logits for all {len(logits):,} images",
            "do the weights belong to this network, and are they free of NaN?",
        )
