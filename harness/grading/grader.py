"""Grade hand-ins by an assignment: one result after another, each as soon as it is finished.

Every submission is read, loaded in its own sandbox and evaluated on its own; whatever happens to one becomes that one's
result and nobody else's.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import InitVar, dataclass, field
from typing import Any

from harness.assignment.loading import Assignment
from harness.contracts.evaluator import Context, Evaluator, JudgesPredictions
from harness.contracts.network import Student
from harness.data.data_sets import DataSets
from harness.errors import Cancelled, SubmissionError, UsageError
from harness.grading.events import GradingEvents, Progress
from harness.grading.findings import Findings, accident, layers, recording, unchecked
from harness.networks.student import SandboxedStudent
from harness.networks.teachers import Teachers
from harness.plugins import Plugins
from harness.points import rubric
from harness.sandbox import Box, Sandbox
from harness.sandbox.shared_images import SharedImages
from harness.store.weights import packed
from harness.submission.reading import HandIn, ReadLimits, Submission, read_submission
from harness.values.base import Audience, Options
from harness.values.networks import Predictions
from harness.values.results import Result
from harness.worker.failures import failure


@dataclass(frozen=True)
class Grader:
    """Everything one run of grading shares."""

    assignment: Assignment
    plugins: Plugins
    sandbox: Sandbox
    audience: Audience = "instructor"
    events: GradingEvents = field(default_factory=GradingEvents)
    image_seed: str = ""
    """Decides in which order workers see the images; a secret where it matters."""
    decoded: InitVar[DataSets | None] = None
    """The assignment's data for this audience, where someone has it already."""
    data: DataSets = field(init=False)
    shared: SharedImages = field(init=False)
    teachers: Teachers = field(init=False)
    stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self, decoded: DataSets | None) -> None:
        data = decoded or DataSets(self.assignment, self.plugins, self.audience)
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "shared", SharedImages(self.image_seed))
        teachers = Teachers(
            self.assignment,
            self.sandbox,
            self.shared,
            format_modules=self.plugins.weight_format_modules,
            images=lambda size: data.test(size)[0].images,
            stopping=self.stopping,
        )
        object.__setattr__(self, "teachers", teachers)

    def grade(self, hand_in: HandIn) -> Result | None:
        """Grade one hand-in; None when `events` skips it or the run is being stopped."""
        name = hand_in.id
        if self.stopping.is_set():
            return None
        started = time.monotonic()
        try:
            with self.sandbox.box() as box:
                outcome = self._read_and_grade(hand_in, box)
        except Cancelled:
            return None
        finally:
            self.events.on_progress(Progress(name, ""))
        return outcome and outcome.model_copy(update={"seconds": round(time.monotonic() - started, 3)})

    def grade_live(self, opened: Callable[[], Student], input_size: int, kd_function: str | None) -> Result:
        """Grade objects of this process, for notebooks.

        Args:
            opened: makes the student; whatever it raises becomes the result.
        """
        started = time.monotonic()
        found = Findings()
        try:
            student = opened()
            found.network = student.verification
            self._run_evaluators(student, "notebook", input_size, kd_function, found)
            found.notes = list(student.facts.notes)
            found.layers = layers(student.facts)
        except UsageError:
            raise
        except Exception as error:  # noqa: BLE001 - the student's own code, with nothing of ours around it
            failed = failure(error)
            found.end(failed.status, failed.reason, failed.hint)
            found.printed = traceback.format_exc()
        result = self._result("notebook", None, found)
        return result.model_copy(update={"seconds": round(time.monotonic() - started, 3)})

    def _read_and_grade(self, hand_in: HandIn, box: Box) -> Result | None:
        name = hand_in.id
        self.events.on_progress(Progress(name, "reading"))
        try:
            limits = ReadLimits(total_bytes=self.assignment.rules.limits.submission_bytes)
            submission = read_submission(hand_in, box.path, self.plugins.weight_formats, limits)
        except SubmissionError as error:
            return self._result(name, None, Findings(error.status, error.reason, error.hint))
        except Exception as error:  # noqa: BLE001 - one bad hand-in never stops a class
            return self._result(name, None, accident(error))
        if self.events.skip(name, submission.digest):
            return None
        return self._result(name, submission, self._evaluate(name, submission, box))

    def _evaluate(self, name: str, submission: Submission, box: Box) -> Findings:
        found = Findings()
        try:
            if submission.predictions is not None:
                self._judge_predictions(submission, name, found)
                return found
            size = self._input_size(submission)
            student = SandboxedStudent(
                submission,
                self.assignment,
                box,
                self.shared,
                format_modules=self.plugins.weight_format_modules,
                input_size=size,
                on_stage=lambda stage: self.events.on_progress(Progress(name, stage)),
                stopping=self.stopping,
            )
            with recording(student, found):
                student.open()
                found.network, found.layers = student.verification, layers(student.facts)
                self._keep_weights(student, name, submission)
                self._run_evaluators(student, name, size, submission.settings.kd_function, found)
        except SubmissionError as error:
            found.end(error.status, error.reason, error.hint)
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001 - our own failure is a result too, never a zero
            ours = accident(error)
            found.end(ours.status, ours.reason, ours.hint)
            found.printed += ours.printed
        return found

    def _keep_weights(self, student: SandboxedStudent, name: str, submission: Submission) -> None:
        if not self.assignment.class_options or submission.weights is None:
            return
        weights = packed(student.weights, submission.folder / submission.weights)
        if weights is None:
            student.notes.append("its weights are too many to be kept for comparisons with the class")
        else:
            self.events.on_weights(name, weights)

    def _run_evaluators(
        self, student: Student, name: str, input_size: int, kd_function: str | None, found: Findings
    ) -> None:
        for evaluator_name in self.assignment.options:
            self.events.on_progress(Progress(name, evaluator_name.replace("_", " ")))
            context = self._context(evaluator_name, input_size, kd_function, found)
            found.add(self.plugins.evaluators[evaluator_name].evaluate(student, context))

    def _judge_predictions(self, submission: Submission, name: str, found: Findings) -> None:
        """Run the evaluators that need no network; a person decides about the checks of the others."""
        rules = self.assignment.rules
        if not rules.submission.predictions:
            wanted = " or ".join(rules.submission.entry_points)
            raise SubmissionError.rejected(
                f"there is no source and no weights file, only {submission.predictions}; this assignment grades the "
                "network itself, not its predictions",
                f"hand in the source that defines {wanted}, and the trained weights",
            )
        classes = self.data.predicted(submission)
        found.notes.append("only predictions were handed in: no network was run, and nothing about one was checked")
        claims = submission.settings.claims
        handed_in = Predictions(classes, claims.figures, claims.curves)
        for evaluator_name in self.assignment.options:
            self.events.on_progress(Progress(name, evaluator_name.replace("_", " ")))
            evaluator = self.plugins.evaluators[evaluator_name]
            if isinstance(evaluator, JudgesPredictions):
                context = self._context(evaluator_name, rules.submission.input_sizes[0], None, found)
                found.add(evaluator.evaluate_predictions(handed_in, context))
            else:
                found.add(unchecked(self._checks_of(evaluator)))

    def _checks_of(self, evaluator: Evaluator[Any]) -> list[str]:
        """The checks that count: those the rubric names, and the one that carries the evaluator's name."""
        rules = self.assignment.rules.rubric
        counted = {evaluator.name, *rules.gates, *(rule.check for rule in rules.points)}
        return sorted(check.name for check in evaluator.checks if check.name in counted)

    def _context(
        self, evaluator_name: str, input_size: int, kd_function: str | None, found: Findings
    ) -> Context[Options]:
        rules = self.assignment.rules
        examples, public = self.data.test(input_size)
        return Context(
            options=self.assignment.options[evaluator_name],
            examples=examples,
            public=public,
            split=rules.data["test"].public_fraction is not None,
            baselines=rules.baselines,
            audience=self.audience,
            input_size=input_size,
            measured=found.evaluation.metrics,
            kd_functions=(kd_function,) if kd_function else rules.submission.kd_functions,
            limit_seconds=rules.limits.request_seconds,
            curves=found.evaluation.curves,
            calibration=self.data.calibration(input_size),
            teacher=lambda: self.teachers.at(input_size),
            stand_in=rules.data["test"].stand_in,
            predictions=found.evaluation.predictions,
        )

    def _input_size(self, submission: Submission) -> int:
        allowed = self.assignment.rules.submission.input_sizes
        size = submission.settings.input_size or allowed[0]
        if size not in allowed:
            raise SubmissionError.rejected(
                f"submission.toml: input_size = {size} is not allowed",
                f"choose one of {', '.join(map(str, allowed))}",
            )
        return size

    def _result(self, name: str, submission: Submission | None, found: Findings) -> Result:
        rules = self.assignment.rules
        if found.status == "graded":
            checks = {check.name: check for check in found.evaluation.checks}
            lines = rubric.points(rules, checks, found.evaluation.metrics)
        else:
            lines = rubric.nothing(rules, f"not graded: {found.status.replace('_', ' ')}")
        return Result(
            submission=name,
            status=found.status,
            reason=found.reason,
            hint=found.hint,
            digest=submission.digest if submission else None,
            score=sum(line.points for line in lines),
            max_score=rubric.max_score(rules),
            points=lines,
            network=found.network,
            layers=found.layers,
            nickname=submission.settings.nickname if submission else None,
            members=submission.members if submission else (),
            submitted_at=submission.submitted_at if submission else None,
            printed=found.printed,
            seconds=0,
            **{
                **dict(found.evaluation),
                "notes": (*(submission.notes if submission else ()), *found.notes, *found.evaluation.notes),
            },
        )


def grade_all(
    assignment: Assignment,
    submissions: Sequence[HandIn],
    *,
    plugins: Plugins,
    sandbox: Sandbox,
    jobs: int,
    audience: Audience = "instructor",
    events: GradingEvents | None = None,
    image_seed: str = "",
    data: DataSets | None = None,
) -> Iterator[Result]:
    """Grade hand-ins, `jobs` at a time, yielding each result as soon as it is finished (in any order).

    Closing the iterator early starts nothing new and stops what is running.

    Args:
        submissions: as `harness.submission.discover` finds them.
        events: hears of the progress, and says what is not graded again.
        image_seed: decides in which order workers see the images; keep it secret and the same for a whole class.
        data: the assignment's, for this audience; None: it is read now.

    Raises:
        UsageError: the assignment's data cannot be read.
    """
    grader = Grader(assignment, plugins, sandbox, audience, events or GradingEvents(), image_seed, data)
    # Before anything starts: bad data is the instructor's mistake, not the first student's.
    grader.data.test(assignment.rules.submission.input_sizes[0])
    with ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="grade") as pool:
        running: set[Future[Result | None]] = {pool.submit(grader.grade, each) for each in submissions}
        try:
            while running:
                finished, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (result for each in finished if (result := each.result()) is not None)
        finally:
            grader.stopping.set()
