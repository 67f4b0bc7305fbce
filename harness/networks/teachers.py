"""Run the assignment's own teacher network: once per input size, in the same sandbox as everyone's."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness.assignment.loading import Assignment
from harness.errors import SubmissionError
from harness.networks.logits import predicted_classes
from harness.networks.student import SandboxedStudent
from harness.sandbox import Sandbox
from harness.sandbox.shared_images import SharedImages
from harness.submission.reading import Submission
from harness.submission.settings import Settings
from harness.values.images import Images
from harness.values.networks import Teacher
from harness.values.rules import TeacherRules


class Teachers:
    """Measures `[teacher]` when it is first asked for, for all threads.

    Args:
        format_modules: plugin modules that decode weights.
        images: the graded images at a size in pixels.
    """

    def __init__(
        self,
        assignment: Assignment,
        sandbox: Sandbox,
        shared: SharedImages,
        *,
        format_modules: list[str],
        images: Callable[[int], Images],
        stopping: threading.Event,
    ) -> None:
        self._assignment, self._sandbox, self._shared = assignment, sandbox, shared
        self._format_modules, self._images, self._stopping = format_modules, images, stopping
        self._known: dict[int, Teacher | SubmissionError] = {}
        self._lock = threading.Lock()

    def at(self, size: int) -> Teacher | None:
        """The teacher at an input size; None where the assignment has none.

        Raises:
            SubmissionError: it cannot be used, for the same reason each time.
        """
        rules = self._assignment.rules.teacher
        if rules is None:
            return None
        with self._lock:
            if size not in self._known:
                self._known[size] = self._tried(rules, size)
            found = self._known[size]
        if isinstance(found, SubmissionError):
            raise SubmissionError(found.status, f"the assignment's teacher cannot be used: {found.reason}", found.hint)
        return found

    def _tried(self, rules: TeacherRules, size: int) -> Teacher | SubmissionError:
        folder = self._assignment.source.parent / rules.path
        assignment = _building(rules, self._assignment)
        try:
            with self._sandbox.box() as box:
                submission = _submission(rules, folder, box.path / "teacher")
                with SandboxedStudent(
                    submission,
                    assignment,
                    box,
                    self._shared,
                    format_modules=self._format_modules,
                    input_size=size,
                    stopping=self._stopping,
                ) as student:
                    student.open()
                    return _measured(rules, student, self._images(size))
        except SubmissionError as error:
            return error


def _measured(rules: TeacherRules, student: SandboxedStudent, images: Images) -> Teacher:
    predictions = predicted_classes(student.logits(images)).numpy()
    try:
        macs = student.macs()
    except SubmissionError:
        macs = None
    return Teacher(rules.label, student.decoded, student.facts, macs, predictions)


def _submission(rules: TeacherRules, folder: Path, box: Path) -> Submission:
    """As if the instructor had handed it in, copied into a box."""
    box.mkdir()
    for name in (rules.source, rules.weights):
        if not (folder / name).is_file():
            raise SubmissionError("rejected", f"there is no file {folder / name}")
        shutil.copyfile(folder / name, box / Path(name).name)
    return Submission(
        id="teacher",
        folder=box,
        digest="",
        sources=(Path(Path(rules.source).name),),
        weights=Path(Path(rules.weights).name),
        weights_bytes=(folder / rules.weights).stat().st_size,
        predictions=None,
        settings=Settings(entry_point=rules.entry_point),
        members=(),
        accounts=(),
        submitted_at=None,
        time_source=None,
        late_mark=None,
        notes=(),
    )


def _building(rules: TeacherRules, assignment: Assignment) -> Assignment:
    """The assignment with the arguments of the teacher in place of the students'."""
    submission = assignment.rules.submission.model_copy(update={"model_arguments": rules.model_arguments})
    return replace(assignment, rules=assignment.rules.model_copy(update={"submission": submission}))
