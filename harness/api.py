"""What plugins see: the values they return, the handles they get, and the hooks they implement.

A plugin is one module with functions decorated by `hookimpl` (see `harness.hookspecs`) that return objects of the
protocols below. Importing this module does not import torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, ClassVar, Literal, Protocol, runtime_checkable

import pluggy
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image
    from torch import Tensor

    from harness.board import Board
    from harness.report import ReportView

    Floats = np.ndarray[Any, np.dtype[np.float32]]

hookimpl = pluggy.HookimplMarker("harness")

Verdict = Literal["passed", "failed", "could_not_check"]
Audience = Literal["student", "instructor"]


class Value(BaseModel):
    """Base of everything that crosses a boundary: immutable, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Metric(Value):
    """A measured number. One that could not be measured is absent, never 0 or NaN."""

    value: FiniteFloat | int
    unit: str
    higher_is_better: bool
    low: FiniteFloat | None = None
    """Lower end of the 95 % interval, in `unit`."""
    high: FiniteFloat | None = None


class Check(Value):
    """A requirement with its verdict, the reason for it, and a hint on what to do next."""

    name: str
    verdict: Verdict
    reason: str
    hint: str | None = None

    @classmethod
    def passed(cls, name: str, reason: str, hint: str | None = None) -> Check:
        return cls(name=name, verdict="passed", reason=reason, hint=hint)

    @classmethod
    def failed(cls, name: str, reason: str, hint: str | None = None) -> Check:
        return cls(name=name, verdict="failed", reason=reason, hint=hint)

    @classmethod
    def could_not_check(cls, name: str, reason: str, hint: str | None = None) -> Check:
        return cls(name=name, verdict="could_not_check", reason=reason, hint=hint)


class Series(Value):
    """One line of a curve. What is known of its points beside x and y is parallel to them, or empty."""

    label: str
    points: tuple[tuple[FiniteFloat, FiniteFloat], ...]
    low: tuple[FiniteFloat, ...] = ()
    """Lower ends of the 95 % intervals of y, one per point; absent where there are none."""
    high: tuple[FiniteFloat, ...] = ()
    """Upper ends, likewise."""
    sparsity: tuple[FiniteFloat, ...] = ()
    """Share of the handed-in parameters that are zero or gone, one per point; absent on other curves than pruning's."""
    bits: tuple[int, ...] = ()
    """Bits per weight, one per point; absent on other curves than those of quantisation."""
    macs: tuple[int, ...] = ()
    """Multiply-accumulates of one image, one per point; absent where they could not be counted."""
    bytes: tuple[int, ...] = ()
    """Canonical bytes, one per point; absent where x is bytes already."""

    @model_validator(mode="after")
    def _parallel(self) -> Series:
        for name in ("low", "high", "sparsity", "bits", "macs", "bytes"):
            if len(getattr(self, name)) not in (0, len(self.points)):
                raise ValueError(f"{name} has {len(getattr(self, name))} entries for {len(self.points)} points")
        return self

    @model_serializer(mode="wrap")
    def _without_the_unknown(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        whole: dict[str, Any] = handler(self)
        return {name: each for name, each in whole.items() if each or name in ("label", "points")}


class Curve(Value):
    """Named points (x, y) in one or more series; `x` and `y` name metrics."""

    name: str
    x: str
    y: str
    series: tuple[Series, ...]


class Row(Value):
    """One line of a table."""

    label: str
    cells: tuple[Metric | str | None, ...]
    """One per column: a number with its unit, words, or null where nothing could be measured."""


class Table(Value):
    """Networks side by side; numbers that a curve cannot show."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    @model_validator(mode="after")
    def _full_rows(self) -> Table:
        for row in self.rows:
            if len(row.cells) != len(self.columns):
                raise ValueError(f"{row.label} has {len(row.cells)} cells for {len(self.columns)} columns")
        return self


class Layer(Value):
    """One leaf layer of a network, as torchinfo tells it beside student code: a claim."""

    name: str
    kind: str
    """The name of its class."""
    output: tuple[int, ...]
    """Shape for a batch of one."""
    parameters: int


class Correct(Value):
    """Which graded images were predicted right: one bit an image in the data set's order, as numpy.packbits packs them.

    It is the answer sheet in disguise: it stays with the instructor.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")

    public: bytes
    """Of the public images, which are all where the assignment does not split its data."""
    private: bytes = b""

    @property
    def everything(self) -> bytes:
        """Of all images; the last bits of either part may be padding, which is 0."""
        return self.public + self.private


class Evaluation(Value):
    """What one evaluator found out about one student."""

    metrics: Mapping[str, Metric] = Field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    curves: tuple[Curve, ...] = ()
    tables: tuple[Table, ...] = ()
    predictions: tuple[int, ...] | None = None
    """The predicted class of each graded image, in the data set's order (accuracy only)."""
    correct: Correct | None = None
    """Only for the audience `instructor` (accuracy only)."""
    confusion: tuple[tuple[int, ...], ...] | None = None
    """Public images by true class (row) and predicted class (column); None with more than 100 classes."""


class Options(BaseModel):
    """Base of a plugin's options, the table `[evaluators.<name>]` of an assignment."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, eq=False)
class Images:
    """Decoded images, shared read-only with the workers.

    Attributes:
        pixels: uint8 [N, channels, S, S]; the worker computes `(pixels / 255 - mean) / std` in float32, as
            torchvision's ToTensor and Normalize do.
    """

    pixels: Tensor
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Labelled images of one data set in its own order. Labels never leave the grader."""

    images: Images
    labels: np.ndarray[Any, np.dtype[np.int64]]
    names: tuple[str, ...]
    classes: int


@dataclass(frozen=True, slots=True)
class Reply:
    """A worker's answer: JSON facts (claims of a process that ran student code) and tensors."""

    facts: dict[str, Any]
    tensors: dict[str, Tensor]


ChannelOrder = Literal["l1", "gamma"]
"""Which channels go first: those of small L1 norm, or of small signed BatchNorm scale (HW7's network slimming)."""


class Latency(Value):
    """Seconds of one forward pass as the worker measured them: a claim, and never the same twice."""

    median: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    iqr: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """From the first quartile to the third."""


class Checkpoint(Value):
    """A weights file beside the graded one, and the network it belongs to; a file name alone is the same network."""

    file: Annotated[str, Field(min_length=1, max_length=200)]
    """Relative to submission.toml."""
    entry_point: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """The class or function that makes its network; absent: that of the submission."""
    model_arguments: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments for it, such as other widths; absent: those of the submission."""

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, given: Any) -> Any:
        named = {"file": given} if isinstance(given, str) else given
        if isinstance(named, dict) and isinstance(named.get("file"), str):
            named = {**named, "file": PurePosixPath(named["file"].replace("\\", "/")).as_posix()}
        return named


class Network(Protocol):
    """A function from (weights, images) to logits; its code runs only in the sandbox.

    Every method raises SubmissionError when the network fails at what it is asked for.
    """

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """What is sent in with every evaluation: the model's own state names, pruning masks multiplied in."""

    def logits(self, images: Images, weights: Mapping[str, Tensor] | None = None, *, batch_size: int = 64) -> Tensor:
        """Forward all images in eval mode.

        Args:
            weights: tensors to use instead of `self.weights`; same names and shapes.

        Returns:
            float32 [N, classes], finite; row i belongs to image i.
        """

    def recalibrated(self, images: Images, weights: Mapping[str, Tensor] | None = None) -> Mapping[str, Tensor]:
        """The weights with BatchNorm statistics gathered anew on `images`; equal but for those statistics."""

    def macs(self) -> int:
        """Multiply-accumulates of one image, counted beside student code: a claim."""

    def latency(self, weights: Mapping[str, Tensor] | None = None, *, batch_size: int, seconds: float = 0.2) -> Latency:
        """Time of a forward pass of `batch_size` empty images, measured for at least so many seconds."""


class HandedInNetwork(Network, Protocol):
    """A network with a weights file of its own."""

    @property
    def decoded(self) -> Mapping[str, Tensor]:
        """The tensors of the file as handed in, under the model's names."""

    @property
    def facts(self) -> ModelFacts:
        """What the worker says of it; without torchinfo's figures."""

    @property
    def file_bytes(self) -> int:
        """Size of the file."""


class Student(Network, Protocol):
    """A submission's own network, and what was handed in with it."""

    @property
    def decoded(self) -> Mapping[str, Tensor]:
        """The tensors of the weights file as handed in: its names (less a common prefix), shapes and dtypes."""

    @property
    def masks(self) -> Mapping[str, Tensor]:
        """Live pruning masks by the name of the parameter they belong to."""

    @property
    def facts(self) -> ModelFacts:
        """What the worker says of the model: advisory."""

    @property
    def weights_bytes(self) -> int:
        """Size of the weights file as handed in."""

    @property
    def claims(self) -> Mapping[str, float]:
        """What the student says of the model in `submission.toml`."""

    @property
    def claimed_curves(self) -> Mapping[str, tuple[tuple[float, float], ...]]:
        """Points (x, y) of curves that the student's report shows, by the curve's name."""

    def without_channels(
        self, order: ChannelOrder, keep: float, weights: Mapping[str, Tensor] | None = None
    ) -> Network:
        """A copy that keeps int(keep · C) of every C channels, at least one; the classifier keeps its outputs.

        The worker removes them; that its tensors hold nothing but values that were sent is checked.

        Raises:
            SubmissionError: the network cannot be traced, or does not run with fewer channels.
        """

    @property
    def checkpoints(self) -> Mapping[str, tuple[Checkpoint, ...]]:
        """Further weights for measured curves: series label -> files, as submission.toml lists them."""

    @property
    def methods(self) -> Mapping[str, Checkpoint]:
        """Networks to compare, by what they are called."""

    @property
    def teacher(self) -> Checkpoint | None:
        """The large network, if it was handed in."""

    def handed_in(self, checkpoint: Checkpoint) -> HandedInNetwork:
        """Decode, build and match one of these.

        Raises:
            SubmissionError: it cannot be used; the others still can.
        """

    def again(self) -> AbstractContextManager[Student]:
        """The same network in a process of its own that has seen nothing yet; leaving the context ends it.

        Two processes that are given the same weights and images must give the same logits: nothing that one of them
        remembers is known to the other. In a notebook, where there is only one process, it is a copy of the module.

        Raises:
            SubmissionError: on its first use, like any other request.
        """

    def ask(
        self, request: str, facts: Mapping[str, Any], tensors: Mapping[str, Tensor], *, limit_seconds: float
    ) -> Reply:
        """Send any other request to a fresh worker of its own (`harness.worker` lists them).

        Raises:
            SubmissionError: the student's code failed or overran `limit_seconds`.
        """


class ModelFacts(Value):
    """The worker's description of the model it built. Claims: the grader's own counts decide."""

    source: str
    """File and line of the entry point."""
    weights_format: str
    stored_bits: dict[str, int] = Field(default_factory=dict)
    """Bits per element each decoded tensor had in the file."""
    state: dict[str, tuple[int, ...]]
    """Names and shapes of the built module's own state_dict."""
    parameters: tuple[str, ...]
    """The names in `state` that are parameters; the others are buffers."""
    aliases: tuple[tuple[str, ...], ...] = ()
    """Groups of decoded tensors said to share one storage (tied weights)."""
    storage_elements: int = Field(ge=0)
    """Elements of all distinct storages of the decoded tensors."""
    torchinfo: Annotated[int, Field(ge=0, le=10**12)] | None
    """`total_params` as torchinfo reports it; None when it failed, with `torchinfo_error`."""
    torchinfo_error: str | None = None
    mult_adds: int | None = None
    layers: tuple[tuple[str, str, tuple[int, ...], int], ...] = ()
    """Per leaf layer: dotted name, class, output shape, parameters (torchinfo's)."""
    lazy: bool = False
    scripted_or_quantised: bool = False
    notes: tuple[str, ...] = ()
    """What was coped with: dropped prefixes, left-out training code, a class defined twice, …"""


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """The assignment's large network, measured once for all submissions."""

    label: str
    decoded: Mapping[str, Tensor]
    facts: ModelFacts
    macs: int | None
    predictions: np.ndarray[Any, np.dtype[np.int64]]
    """[N], of `Context.examples` in their order."""


def _no_teacher() -> Teacher | None:
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """What an evaluator may know beside the student."""

    options: Any
    """An instance of the evaluator's `Options`."""
    examples: Examples
    """The graded data; for the audience `student` only its public part."""
    public: np.ndarray[Any, np.dtype[np.bool_]]
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
    predictions: tuple[int, ...] | None = None
    """The predicted class of each example, once an evaluator that ran before this one has told."""


class Evaluator(Protocol):
    """Turns a Student into checks, metrics and curves."""

    name: str
    Options: ClassVar[type[Options]]
    provides: frozenset[str]
    """Names of the checks and metrics it can return; rubrics and rankings are validated against them."""

    def evaluate(self, student: Student, context: Context) -> Evaluation:
        """Raises SubmissionError when the submission as a whole cannot be graded."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassEntry:
    """What grading kept of one submission for those who compare a class."""

    submission: str
    weights: Mapping[str, Floats]
    """What was sent into the network, floating-point tensors only, in the order of its state; 8 significant bits."""
    digests: Mapping[str, str]
    """Of the exact values of each of these tensors; constant ones, such as zeros, have none."""
    file_digest: str
    """Of the weights file as handed in."""
    predictions: tuple[int, ...] | None
    submitted_at: datetime | None


class Finding(Value):
    """Something about several submissions that a person should look at: evidence, never a verdict."""

    submissions: tuple[str, ...]
    evidence: Mapping[str, FiniteFloat | str]
    """A few figures by name; shares of 1 are numbers."""
    paragraph: str
    """To be forwarded as it is: what was found, what may explain it, what it does not show."""


class Comparison(Value):
    """What one class evaluator found out about a class."""

    findings: tuple[Finding, ...] = ()
    """The most striking first."""
    notes: tuple[str, ...] = ()
    """What was compared with what, and what could not be."""


class ClassEvaluator(Protocol):
    """Compares the submissions of a class with each other, for the instructor. Nothing it finds costs points."""

    name: str
    Options: ClassVar[type[Options]]

    def evaluate_class(self, entries: Sequence[ClassEntry], options: Any) -> Comparison:
        """Runs after grading, from the store alone: there is neither student code nor a sandbox.

        Args:
            entries: by submission id.
            options: an instance of `Options`.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What was handed in where only predicted classes were: no code, no weights."""

    classes: np.ndarray[Any, np.dtype[np.int64]]
    """[N], of `Context.examples` in their order."""
    claims: Mapping[str, float]
    claimed_curves: Mapping[str, tuple[tuple[float, float], ...]]


@runtime_checkable
class JudgesPredictions(Protocol):
    """An evaluator that needs no network; the checks of all others cannot be made of predictions."""

    def evaluate_predictions(self, predictions: Predictions, context: Context) -> Evaluation:
        """Raises SubmissionError when the submission as a whole cannot be graded."""


@runtime_checkable
class StatesLimits(Protocol):
    """An evaluator whose options limit metrics; reports show the limits beside them."""

    def limits(self, options: Any) -> Mapping[str, float]:
        """Metric -> the most it may be, for those that are limited.

        Args:
            options: an instance of the evaluator's `Options`.
        """


class WeightFormat(Protocol):
    """A weights file format, recognised by content and never by file name."""

    name: str

    def recognises(self, file: BinaryIO) -> bool:
        """Whether the open, seekable file is of this format. Runs in the grader: must not decode anything."""

    def decode(self, path: Path) -> Any:
        """The file's content as plain Python (usually a dict of tensors). Runs in the sandbox only."""


class Dataset(Protocol):
    """A kind of data folder."""

    name: str

    def load(self, folder: Path) -> RawExamples:
        """Raises UsageError when the folder does not hold such data; the text says what was expected."""


@dataclass(frozen=True, slots=True, eq=False)
class RawExamples:
    """Images as they lie on disk, decoded one by one when asked.

    Attributes:
        images: Pillow images, lazily decoded.
        labels: int64 [N].
        names: what identifies each image, such as its file name or index.
    """

    images: Sequence[Image.Image]
    labels: np.ndarray[Any, np.dtype[np.int64]]
    names: tuple[str, ...]


class Writer(Protocol):
    """A format of the leaderboard."""

    name: str

    def render(self, board: Board) -> dict[str, str]:
        """File name -> text. A single file goes to the terminal unless `--out` is given."""


@runtime_checkable
class SiteWriter(Protocol):
    """A writer that also wants the report of every submission, as whoever reads the board may see it."""

    def render_site(self, board: Board, reports: Mapping[str, ReportView]) -> Iterable[tuple[str, str]]:
        """(path below the site's folder, text) of every file; made one by one, for a class's may not fit into memory.

        Args:
            reports: by the `name` of the board's rows, ranked and not; each is about the attempt on the board.
        """


class Exporter(Protocol):
    """Points in a form that another system imports."""

    name: str

    def export(self, board: Board, template: Path | None) -> dict[str, str]:
        """File name -> text.

        Args:
            board: the instructor's, with names and every point.
            template: the other system's own file, for those that want it filled in.

        Raises:
            UsageError: a template is missing, or is none.
        """


PositiveInt = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
