"""Define evaluators: what they are, and what they may know beside the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

from harness.contracts.network import Student
from harness.values.base import Audience, Options
from harness.values.class_comparison import ClassComparison, ClassEntry
from harness.values.curves import Curve
from harness.values.evaluation import Evaluation
from harness.values.images import Examples, Images
from harness.values.measures import Check, CheckSpec, Metric, MetricSpec
from harness.values.networks import Predictions, Teacher

OptionsT = TypeVar("OptionsT", bound=Options)
OptionsT_co = TypeVar("OptionsT_co", bound=Options, covariant=True)
OptionsT_contra = TypeVar("OptionsT_contra", bound=Options, contravariant=True)


Reads = Literal["network", "images", "hand_in", "earlier"]
"""What an evaluator goes by: the network's weights, logits and costs; images of the assignment; anything else of what
was handed in, such as its claims, further files, or code beside the network; what earlier evaluators found."""
EVERYTHING: frozenset[Reads] = frozenset({"network", "images", "hand_in", "earlier"})


def _no_teacher() -> Teacher | None:
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Context(Generic[OptionsT_co]):
    """What an evaluator may know beside the student."""

    options: OptionsT_co
    """An instance of the evaluator's `Options`."""
    examples: Examples
    """The graded data; for the audience `student` only its public part."""
    public: NDArray[np.bool_]
    """bool [N]: which of the examples are public."""
    split: bool
    """Whether the assignment splits its data into public and private."""
    audience: Audience
    input_size: int
    measured: Mapping[str, Metric]
    """Metrics of the evaluators that ran before this one."""
    kd_functions: tuple[str, ...]
    limit_seconds: float
    """Wall-clock limit for one request of the evaluator's own."""
    curves: tuple[Curve, ...] = ()
    """Curves of the evaluators that ran before this one."""
    calibration: Images | None = None
    """Training images for BatchNorm's statistics: at most 1,000 of `[data.calibration]`, if the assignment has it."""
    teacher: Callable[[], Teacher | None] = _no_teacher
    """Measures `[teacher]` when it is first asked for; None where the assignment has none. Raises SubmissionError when
    it cannot be used."""
    secret: str = ""
    """Known to nobody but the store, and the same for a whole class: what is drawn from it cannot be foretold, and
    repeats. Empty where there is no store."""
    predictions: tuple[int, ...] | None = None
    """The predicted class of each example, once an evaluator that ran before this one has told."""


class Evaluator(Protocol[OptionsT]):
    """Turns a Student into checks, metrics and curves. Plain attributes will do for the properties."""

    @property
    def name(self) -> str: ...

    @property
    def Options(self) -> type[OptionsT]: ...  # noqa: N802 - a class, under the name of its base

    @property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """All that it can measure. Boards, reports and what students may see go by this."""

    @property
    def checks(self) -> tuple[CheckSpec, ...]:
        """All that it can check."""

    def evaluate(self, student: Student, context: Context[OptionsT]) -> Evaluation:
        """Raises SubmissionError when the submission as a whole cannot be graded."""


class ClassEvaluator(Protocol[OptionsT]):
    """Compares the submissions of a class with each other, for the instructor. Nothing it finds costs points."""

    @property
    def name(self) -> str: ...

    @property
    def Options(self) -> type[OptionsT]: ...  # noqa: N802 - a class, under the name of its base

    def evaluate_class(
        self, entries: Sequence[ClassEntry], options: OptionsT, starter: Mapping[str, str]
    ) -> ClassComparison:
        """Runs after grading, from the store alone: there is neither student code nor a sandbox.

        Args:
            entries: by submission id.
            starter: text of the sources that everybody was given, by file or cell.
        """


@dataclass(frozen=True, slots=True)
class Requirements(Generic[OptionsT_co]):
    """What checks are judged by. It may change after everything was measured."""

    options: OptionsT_co
    """An instance of the evaluator's `Options`."""
    baselines: Mapping[str, float]
    """Named accuracies of the assignment."""
    split: bool
    """Whether the assignment splits its data into public and private."""
    stand_in: bool = False
    """Whether the graded data is synthetic, so that accuracies say nothing."""


@runtime_checkable
class Judges(Protocol[OptionsT_contra]):
    """An evaluator that measures first and judges later: a changed limit then measures nothing again."""

    @property
    def judged_by(self) -> frozenset[str]:
        """The names of the options that only `judge` looks at."""

    def judge(self, found: Evaluation, required: Requirements[OptionsT_contra]) -> tuple[Check, ...]:
        """The checks that follow from what `evaluate` found, its `metrics` and its `evidence`. Runs without torch, at
        any time later, and for every board.
        """


@runtime_checkable
class ReadsLess(Protocol):
    """An evaluator that says what it goes by. Where that has not changed, nothing is measured again: not after other
    files of a hand-in changed, and not on other images. One that does not say goes by `EVERYTHING`.
    """

    @property
    def reads(self) -> frozenset[Reads]: ...


@runtime_checkable
class JudgesPredictions(Protocol[OptionsT_contra]):
    """An evaluator that needs no network; the checks of all others cannot be made of predictions."""

    def evaluate_predictions(self, predictions: Predictions, context: Context[OptionsT_contra]) -> Evaluation:
        """Raises SubmissionError when the submission as a whole cannot be graded."""


@runtime_checkable
class StatesLimits(Protocol[OptionsT_contra]):
    """An evaluator whose options limit metrics; reports show the limits beside them."""

    def limits(self, options: OptionsT_contra) -> Mapping[str, float]:
        """Metric -> the most it may be, for those that are limited."""
