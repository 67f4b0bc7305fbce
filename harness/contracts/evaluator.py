"""Define evaluators: what they are, and what they may know beside the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

from harness.contracts.network import Student
from harness.values.base import Audience, Options
from harness.values.class_comparison import ClassComparison, ClassEntry
from harness.values.curves import Curve
from harness.values.evaluation import Evaluation
from harness.values.images import Examples, Images
from harness.values.measures import CheckSpec, Metric, MetricSpec
from harness.values.networks import Predictions, Teacher

OptionsT = TypeVar("OptionsT", bound=Options)
OptionsT_co = TypeVar("OptionsT_co", bound=Options, covariant=True)
OptionsT_contra = TypeVar("OptionsT_contra", bound=Options, contravariant=True)


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
    baselines: Mapping[str, float]
    """Named accuracies of the assignment."""
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
    stand_in: bool = False
    """Whether the graded data is synthetic, so that accuracies say nothing."""
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

    def evaluate_class(self, entries: Sequence[ClassEntry], options: OptionsT) -> ClassComparison:
        """Runs after grading, from the store alone: there is neither student code nor a sandbox.

        Args:
            entries: by submission id.
        """


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
