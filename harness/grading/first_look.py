"""Look at a hand-in before anything needs torch: what is wrong with its files is known at once."""

from __future__ import annotations

import pickletools
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import SubmissionError
from harness.grading.findings import Findings
from harness.grading.outcomes import outcome_of
from harness.submission.reading import no_weights
from harness.worker.sources.definitions import Sources

if TYPE_CHECKING:
    from harness.assignment.loading import Assignment
    from harness.plugins import Plugins
    from harness.sandbox import Sandbox
    from harness.submission.reading import HandIn, Submission
    from harness.values.results import Result

_MOST_PICKLE_BYTES = 4 << 20
_OF_STATE_DICTS = {"collections", "torch", "torch._utils", "torch.storage"}


def first_look(hand_in: HandIn, assignment: Assignment, plugins: Plugins, sandbox: Sandbox) -> Result | None:
    """The result where its files already decide it; None where it has to be graded. Runs nothing of the hand-in.

    Raises:
        UsageError: there is nothing at its path.
        HarnessError: it could not be read, which is not the student's fault.
    """
    started, submission = time.monotonic(), None
    with sandbox.box() as box:
        try:
            submission = box.read(hand_in, plugins.weight_format_modules, assignment.rules.limits)
            refused = _refused(submission, assignment)
        except SubmissionError as error:
            refused = error
    if refused is None:
        return None
    found = Findings(refused.status, refused.said, refused.hint)
    result = outcome_of(assignment.rules, hand_in.id, submission, found)
    return result.model_copy(update={"seconds": round(time.monotonic() - started, 3)})


def _refused(submission: Submission, assignment: Assignment) -> SubmissionError | None:
    """What grading would refuse it for; None where that takes more than reading."""
    rules, settings = assignment.rules.submission, submission.settings
    if submission.predictions is not None or settings.input_size not in {None, *rules.input_sizes}:
        return None
    if submission.weights is None:
        return no_weights()
    wanted = (settings.entry_point,) if settings.entry_point else rules.entry_points
    sources = Sources(submission.folder, [each.as_posix() for each in submission.sources])
    # Where anything is defined, or pickled whole, the weights may find the network that the names do not.
    if sources.names() or not sources.errors() or not _tensors_alone(submission.folder / submission.weights):
        return None
    return sources.not_found(wanted)


def _tensors_alone(weights: Path) -> bool:
    """Whether a file is `torch.save`'s and names nothing but what a state_dict is made of."""
    try:
        with zipfile.ZipFile(weights) as archive:
            (pickle,) = (each for each in archive.infolist() if each.filename.endswith("/data.pkl"))
            if pickle.file_size > _MOST_PICKLE_BYTES:
                return False
            named = list(pickletools.genops(archive.read(pickle)))
    except (OSError, ValueError, zipfile.BadZipFile):
        return False
    if any(operation.name == "STACK_GLOBAL" for operation, _, _ in named):
        return False
    return all(
        str(value).partition(" ")[0] in _OF_STATE_DICTS for operation, value, _ in named if operation.name == "GLOBAL"
    )
