"""Grade hand-ins by an assignment: one result after another, each as soon as it is finished.

Every submission is read, loaded in its own sandbox and evaluated on its own; whatever happens to one becomes that one's
result and nobody else's.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import InitVar, dataclass, field
from functools import partial

from harness.assignment.loading import Assignment
from harness.board.judged import judge_of
from harness.contracts.executors import Crew
from harness.contracts.network import Student
from harness.data.data_sets import DataSets
from harness.errors import Cancelled, PluginError, SubmissionError, UsageError
from harness.grading.elsewhere import Elsewhere, Task, software
from harness.grading.evaluating import Evaluating, Subject
from harness.grading.events import GradingEvents, Progress
from harness.grading.findings import Findings, accident, layers, recording
from harness.grading.keys import Keys
from harness.grading.memory import Memory
from harness.grading.outcomes import outcome_of
from harness.networks.device import Device
from harness.networks.opening import Opening
from harness.networks.teachers import Teachers
from harness.plugins import Plugins
from harness.sandbox import Box, Sandbox
from harness.sandbox.shared_images import SharedImages
from harness.store.sources import packed as packed_sources
from harness.store.weights import file_digest, packed
from harness.submission.reading import HandIn, Submission
from harness.values.base import Audience
from harness.values.evaluation import Evaluation
from harness.values.networks import Predictions, Verification
from harness.values.results import Result
from harness.worker.failures import failure
from harness.worker.shown import hint_for

_NOT_KEPT = "its network is too large to be kept: to be measured again, its code has to run again"


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
    memory: Memory = field(default_factory=Memory)
    keys: Keys | None = None
    """Of what is remembered; None: nothing is."""
    crew: Crew | None = None
    """Who measures verified networks; None: nobody but us."""
    jobs: int = 1
    """Hand-ins that are worked on here at once."""
    device: Device | None = None
    """Where verified networks are measured; None: on the CPU."""
    data: DataSets = field(init=False)
    shared: SharedImages = field(init=False)
    evaluating: Evaluating = field(init=False)
    stopping: threading.Event = field(default_factory=threading.Event)
    hands: threading.Semaphore = field(init=False)

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
        judge = judge_of(self.assignment)
        hands = threading.Semaphore(self.jobs)
        object.__setattr__(self, "hands", hands)
        elsewhere = None
        if self.crew is not None:
            elsewhere = Elsewhere(self.crew, hands, self.stopping, self.events.on_unreachable)
        evaluating = Evaluating(
            self.assignment,
            judge,
            data,
            teachers,
            self.audience,
            self._say,
            self.memory,
            self.keys,
            self.image_seed,
            software(self.assignment.options, self.plugins),
            elsewhere,
        )
        object.__setattr__(self, "evaluating", evaluating)

    def _say(self, name: str, stage: str) -> None:
        self.events.on_progress(Progress(name, stage))

    def grade(self, hand_in: HandIn) -> Result | None:
        """Grade one hand-in; None when `events` skips it or the run is being stopped."""
        name = hand_in.id
        if self.stopping.is_set():
            return None
        started = time.monotonic()
        try:
            with self.hands, self.sandbox.box() as box:
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
            subject = Subject(lambda: student, student.verification, input_size, kd_function)
            self.evaluating.run("notebook", subject, found)
            found.notes = list(student.facts.notes)
            found.layers = layers(student.facts)
        except UsageError:
            raise
        except Exception as error:  # noqa: BLE001 - the student's own code, with nothing of ours around it
            failed = accident(error) if isinstance(error, PluginError) else failure(error)
            found.end(failed.status, failed.reason, failed.hint)
            found.printed = traceback.format_exc()
        result = outcome_of(self.assignment.rules, "notebook", None, found)
        return result.model_copy(update={"seconds": round(time.monotonic() - started, 3)})

    def _read_and_grade(self, hand_in: HandIn, box: Box) -> Result | None:
        name = hand_in.id
        self.events.on_progress(Progress(name, "reading"))
        try:
            submission = box.read(
                hand_in,
                self.plugins.weight_format_modules,
                self.assignment.rules.limits,
                stopping=self.stopping,
                texts=bool(self.assignment.class_options),
                readable=self.assignment.rules.submission.readable_files,
            )
        except Cancelled:
            raise
        except SubmissionError as error:
            return self._unread(hand_in, Findings(error.status, error.reason, error.hint))
        except Exception as error:  # noqa: BLE001 - one bad hand-in never stops a class
            return self._unread(hand_in, accident(error))
        if self.events.skip(name, submission.digest):
            return None
        if submission.texts:
            self.events.on_sources(name, packed_sources(submission.texts))
        found = self._evaluate(name, submission, box)
        self.events.on_parts(name, found.parts)
        return outcome_of(self.assignment.rules, name, submission, found)

    def _unread(self, hand_in: HandIn, found: Findings) -> Result:
        """What comes of a hand-in of which nothing is known but what its learning platform says."""
        said = {
            "members": hand_in.members,
            "accounts": hand_in.accounts,
            "submitted_at": hand_in.submitted_at,
            "time_source": hand_in.submitted_at and "platform",
            "late_mark": hand_in.late,
        }
        return outcome_of(self.assignment.rules, hand_in.id, None, found).model_copy(update=said)

    def _evaluate(self, name: str, submission: Submission, box: Box) -> Findings:
        found = Findings()
        try:
            if submission.predictions is not None:
                self._judge_predictions(submission, name, found)
            else:
                self._judge_network(submission, name, box, found)
        except SubmissionError as error:
            found.end(error.status, error.said, hint_for(error, submission))
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001 - our own failure is a result too, never a zero
            ours = accident(error)
            found.end(ours.status, ours.reason, ours.hint)
            found.printed += ours.printed
        return found

    def _judge_network(self, submission: Submission, name: str, box: Box, found: Findings) -> None:
        size = self._input_size(submission)
        key = self.keys.intake(submission.digest, size) if self.keys is not None else ""
        weights = submission.weights if self.assignment.class_options else None
        of_file = file_digest(submission.folder / weights) if weights else ""
        opening = Opening(
            submission,
            self.assignment,
            box,
            self.shared,
            format_modules=self.plugins.weight_format_modules,
            input_size=size,
            on_stage=lambda stage: self.events.on_progress(Progress(name, stage)),
            stopping=self.stopping,
            known=self.memory.intake(key) if key else None,
            device=self.device,
        )
        with recording(opening, found):
            said = opening.said
            found.network, found.layers = said.verification, layers(said.facts)
            self._refuse_unverified(said.verification)
            self._keep_weights(opening, name, of_file, found)
            task = partial(self._task, opening, submission)
            subject = Subject(opening.student, said.verification, size, submission.settings.kd_function, key, task)
            self.evaluating.run(name, subject, found)
            # Evaluators go on without an answer that came too late; the submission does not.
            box.seconds_left(self.assignment.rules.limits.total_seconds)
            if key and opening.ran is not None:
                kept = self.memory.keep_intake(key, opening.ran.intake().of_files(submission.digest))
                found.notes += [] if kept else [_NOT_KEPT]

    def _task(self, opening: Opening, submission: Submission, known: Mapping[str, Evaluation]) -> Task | None:
        """What is measured elsewhere, if it is no larger than what is kept of a network."""
        intake = opening.without_code()
        tensors = intake.packed(self.assignment.rules.limits.kept_bytes) if intake is not None else None
        if intake is None or tensors is None:
            return None
        said = intake.said.model_dump_json()
        return Task(said, tensors, submission.weights_bytes, submission.settings, known)

    def _refuse_unverified(self, found: Verification) -> None:
        if not found.verified and self.assignment.rules.submission.unverified == "refuse":
            raise SubmissionError.rejected(
                f"the network cannot be verified: {found.reason}",
                "write forward with plain tensor operators, without decisions that depend on values",
            )

    def _keep_weights(self, opening: Opening, name: str, of_file: str, found: Findings) -> None:
        if not of_file:
            return
        weights = packed(opening.student().weights, of_file)
        if weights is not None:
            self.events.on_weights(name, weights)
        else:
            found.notes.append("its weights are too many to be kept for comparisons with the class")

    def _judge_predictions(self, submission: Submission, name: str, found: Findings) -> None:
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
        self.evaluating.run_on_predictions(name, handed_in, rules.submission.input_sizes[0], found)

    def _input_size(self, submission: Submission) -> int:
        allowed = self.assignment.rules.submission.input_sizes
        size = submission.settings.input_size or allowed[0]
        if size not in allowed:
            raise SubmissionError.rejected(
                f"submission.toml: input_size = {size} is not allowed",
                f"choose one of {', '.join(map(str, allowed))}",
            )
        return size


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
    memory: Memory | None = None,
    keys: Keys | None = None,
    crew: Crew | None = None,
    device: Device | None = None,
) -> Iterator[Result]:
    """Grade hand-ins, `jobs` at a time, yielding each result as soon as it is finished (in any order).

    Where fewer are left, each has as many workers as keep `jobs` processors busy; no result depends on their number.

    Closing the iterator early starts nothing new and stops what is running.

    Args:
        submissions: as `harness.submission.discover` finds them.
        events: hears of the progress, and says what is not graded again.
        image_seed: decides in which order workers see the images; keep it secret and the same for a whole class.
        data: the assignment's, for this audience; None: it is read now.
        memory: of what was found before, by `keys`; None: nothing is remembered.
        crew: measures verified networks while other hand-ins are worked on here.
        device: where verified networks are measured; None: on the CPU.

    Raises:
        UsageError: the assignment's data cannot be read.
    """
    sandbox.processors = jobs
    sandbox.warm()
    grader = Grader(
        assignment,
        plugins,
        sandbox,
        audience,
        events or GradingEvents(),
        image_seed,
        data,
        memory or Memory(),
        keys,
        crew,
        jobs,
        device,
    )
    # Before anything starts: bad data is the instructor's mistake, not the first student's.
    grader.data.test(assignment.rules.submission.input_sizes[0])
    with ThreadPoolExecutor(max_workers=jobs + (crew.size if crew else 0), thread_name_prefix="grade") as pool:
        running: set[Future[Result | None]] = {pool.submit(grader.grade, each) for each in submissions}
        try:
            while running:
                finished, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (result for each in finished if (result := each.result()) is not None)
        finally:
            grader.stopping.set()
