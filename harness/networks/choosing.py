"""Build the network that the weights fit: by the names that the assignment gives, else by the weights themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.errors import SubmissionError
from harness.networks.entry_points import chosen, fits, refused, said_of_choice
from harness.networks.fitting import Fitted
from harness.networks.session import Answer
from harness.networks.workers import Workers
from harness.worker.messages import Survey
from harness.worker.replies import Decoded, Surveyed

if TYPE_CHECKING:
    from torch import Tensor

_MANY_TENSORS = 5000
"""Nobody's arguments are looked for beyond that."""


def built_and_fitted(workers: Workers, read: Answer[Decoded]) -> Fitted:
    """The weights under the names of the network, built. Where names leave open which one, the weights decide.

    Raises:
        SubmissionError: they fit nothing that may be graded; what they would fit is offered.
    """
    try:
        return workers.fitted(read)
    except SubmissionError as error:
        if not _may_be_another(workers, error, read.tensors):
            raise
        first = error
    names = workers.entry_points
    surveyed = _survey(workers, read.tensors, everything=False)
    taken = chosen(surveyed, read.tensors, names)
    if taken is None:
        raise refused(first, _survey(workers, read.tensors, everything=True), read.tensors, names) from first
    workers.choose(taken)
    found = workers.fitted(read)
    said = said_of_choice(taken, surveyed, read.tensors, weights=workers.weights_file, names=names, why=first.reason)
    workers.session.note([said])
    return found


def _may_be_another(workers: Workers, error: SubmissionError, tensors: Mapping[str, Tensor]) -> bool:
    """Whether another definition could do better: not where the weights fit this one but for their numbers."""
    if error.status not in {"rejected", "crashed"} or not workers.submission.sources:
        return False
    return workers.built is None or not fits(workers.built, tensors)


def _survey(workers: Workers, tensors: Mapping[str, Tensor], *, everything: bool) -> Surveyed:
    """What the sources can build; nothing where looking fails."""
    doing, seconds = "looking for what the weights fit", workers.rules.limits.build_seconds
    workers.on_stage(doing)
    request = Survey(
        entry_points=workers.entry_points,
        everything=everything,
        model_arguments=workers.construction.model_arguments,
        input_shape=workers.input_shape,
        classes=workers.rules.images.classes,
        weights=workers.weights_file,
        shapes={name: tuple(each.shape) for name, each in tensors.items()} if len(tensors) < _MANY_TENSORS else {},
        seconds=seconds,
    )
    try:
        return workers.apart(request, {}, doing=doing, seconds=seconds).said
    except SubmissionError:
        return Surveyed(candidates=())
