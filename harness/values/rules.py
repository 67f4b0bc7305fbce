"""Define an assignment file: its tables, keys and their meanings."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import Annotated, Any, Literal, Self

from pydantic import Field, FiniteFloat, JsonValue, model_validator

from harness.values.base import Fraction, MistakeAt, PositiveInt, Value
from harness.values.late_policy import LatePolicy
from harness.values.measures import ACCURACY

Points = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]


class SubmissionRules(Value):
    """`[submission]`: what a hand-in must contain."""

    entry_points: Annotated[tuple[str, ...], Field(min_length=1)]
    """Names of the class or factory function that makes the model; the first that the weights fit is taken."""
    kd_functions: tuple[str, ...] = ("loss_fn_kd",)
    """Names of the knowledge-distillation loss, in order of preference."""
    model_arguments: dict[str, JsonValue] = Field(default_factory=dict)
    """Keyword arguments for the entry point."""
    input_sizes: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    """Allowed image sizes in pixels; the first is the default."""
    readable_files: tuple[str, ...] = ("*.json", "*.toml", "*.yaml", "*.yml", "*.ini", "*.cfg", "*.txt", "*.csv")
    """Files beside sources and weights that code may read while the network is built, by patterns of their names: by
    default those that hold settings. It sees no others. What a network learned from them counts like its weights."""
    predictions: bool = False
    """Whether a table of predicted classes may be handed in without the network, as on Kaggle."""
    unverified: Literal["accept", "flag", "refuse"] = "flag"
    """What becomes of a network that cannot be measured as a graph of plain operators, so that its code must run on
    every image: it is graded, graded with a mark on the board, or rejected."""
    attempts_per_day: PositiveInt | None = None
    """How many different hand-ins of one student or team `harness watch` grades on a day; absent: any number."""

    starter: tuple[str, ...] = ()
    """Sources that everybody was given, relative to the assignment file: what comes from them is no sign of copying."""


class DataRules(Value):
    """`[data.<name>]`: one data set. `test` is graded; `calibration` has training images for BatchNorm's statistics."""

    id: Name
    """What results and boards call this data."""
    dataset: str
    """The plugin that reads it."""
    path: str
    """Relative to the assignment file; `--data NAME=PATH` overrides it."""
    stand_in: bool = False
    """Whether this is synthetic data on which points mean nothing. `--data` clears it."""
    public_fraction: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of the images that is public; absent: all of them, no split."""
    public_only: bool = False
    """Whether the folder holds the public ones alone, as `harness handout` writes it: none is split off again."""


class ImageRules(Value):
    """`[images]`: from a file to the network's input."""

    classes: Annotated[int, Field(ge=2)]
    """Number of classes; labels run from 0."""
    class_names: tuple[str, ...] = ()
    """For reports, in the order of the labels; absent: their numbers."""
    channels: Literal[1, 3] = 3
    """Greyscale images are repeated to three channels; colours become grey before they are resized. A camera's note to
    turn the picture (EXIF) is not followed, as `Image.open` does not."""
    resize: Literal["stretch", "center_crop", "none"]
    """`stretch` to SxS, as torchvision's `Resize((S, S))`; `center_crop`: shorter side to S, then the middle, as
    `Resize(S)` and `CenterCrop(S)`; `none`: images must be SxS already."""
    crop_from: PositiveInt | None = None
    """Resize to this many pixels instead of S, then cut out the middle SxS: with `center_crop` and 256 as `Resize(256)`
    and `CenterCrop(S)`, with `stretch` and 142 as `Resize((142, 142))` and `CenterCrop(S)`; absent: S."""
    mean: tuple[FiniteFloat, ...]
    """Subtracted after scaling to 0…1, one number per channel."""
    std: tuple[Annotated[float, Field(gt=0)], ...]
    """Divided by after that, one number per channel."""

    @model_validator(mode="after")
    def _one_number_per_channel(self) -> Self:
        for name, numbers in (("mean", self.mean), ("std", self.std)):
            if len(numbers) != self.channels:
                raise MistakeAt(name, f"{name} has {len(numbers)} numbers for {self.channels} channels")
        return self

    @model_validator(mode="after")
    def _something_to_crop(self) -> Self:
        if self.crop_from is not None and self.resize == "none":
            raise MistakeAt("crop_from", "crop_from needs resize = 'stretch' or 'center_crop'")
        return self

    @model_validator(mode="after")
    def _one_name_per_class(self) -> Self:
        if len(self.class_names) not in (0, self.classes):
            what = f"class_names has {len(self.class_names)} names for {self.classes} classes"
            raise MistakeAt("class_names", what)
        return self


class Limits(Value):
    """`[limits]`: what a submission may use. Each has a status of its own when it is exceeded."""

    total_seconds: Annotated[float, Field(gt=0)] = 3600
    """For everything that is done with one submission, in however many steps."""
    reading_seconds: Annotated[float, Field(gt=0)] = 60
    """For copying or unpacking what was handed in, and reading submission.toml."""
    import_seconds: Annotated[float, Field(gt=0)] = 30
    """For importing the sources, and again for decoding the weights file."""
    build_seconds: Annotated[float, Field(gt=0)] = 30
    """For building the network and one empty image, and again for torchinfo."""
    forward_seconds: Annotated[float, Field(gt=0)] = 300
    """For one pass over all images of a data set."""
    request_seconds: Annotated[float, Field(gt=0)] = 60
    """For any other single request, such as the KD probes."""
    cpu_seconds: PositiveInt = 1800
    """Processor time of one worker over its whole life, on however many threads."""
    memory_bytes: Annotated[int, Field(ge=2**29)] = 3 * 2**30
    """Resident memory of the worker and all its children, beyond what importing PyTorch takes."""
    threads: PositiveInt = 64
    """Of one worker, all told."""
    submission_bytes: PositiveInt = 200 * 2**20
    """The hand-in, unpacked."""
    tensor_bytes: PositiveInt = 64 * 2**20
    """All tensors of the weights file, decoded."""
    kept_bytes: PositiveInt = 64 * 2**20
    """A network's tensors that the store keeps, so that it is measured later without running the hand-in again."""


class TeacherRules(Value):
    """`[teacher]`: the large network that students' networks are compared with; the instructor's own."""

    path: str
    """The folder of its source and weights, relative to the assignment file."""
    source: str = "model.py"
    """Its source, in that folder."""
    weights: str
    """Its weights, in that folder."""
    entry_point: str
    """The class or function that makes it."""
    model_arguments: dict[str, JsonValue] = Field(default_factory=dict)
    """Keyword arguments for it."""
    label: str = "teacher"
    """What tables call it."""


class PointRule(Value):
    """`[[rubric.points]]`: points for a check, for a baseline, or for a metric's value."""

    name: str
    """What the points are for."""
    points: Points
    """Points when the condition holds; none otherwise."""
    check: str | None = None
    """Condition: this check passed."""
    metric: str | None = None
    """The metric that `baseline`, `at_least` or `at_most` is about."""
    baseline: str | None = None
    """A name from `[baselines]`, compared with `metric` (default: accuracy)."""
    at_least: FiniteFloat | None = None
    """Condition: `metric` is this or more."""
    at_most: FiniteFloat | None = None
    """Condition: `metric` is this or less."""

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        conditions = [self.check, self.baseline, self.at_least, self.at_most]
        if sum(condition is not None for condition in conditions) != 1:
            raise ValueError("needs exactly one of check, baseline, at_least, at_most")
        if (self.at_least is not None or self.at_most is not None) and self.metric is None:
            raise ValueError("at_least and at_most need a metric")
        return self


class RankPoints(Value):
    """`[[rubric.rank]]`: points by place on the board, added there."""

    name: str
    """What the points are for."""
    points: Points
    """Points of the first place."""
    metric: str = ACCURACY
    """The metric that is ranked."""
    top: PositiveInt | None = None
    """Only the first so many places get the points; absent: linear from first to last."""


class ManualPoints(Value):
    """`[[rubric.manual]]`: points a person gives, such as a report."""

    name: str
    """What the points are for."""
    points: Points
    """The most that can be given."""


class Rubric(Value):
    """`[rubric]`: how checks and metrics become points."""

    gates: tuple[str, ...] = ()
    """Checks that make the score 0 when they fail."""
    points: tuple[PointRule, ...] = ()
    """Points that can be given automatically."""
    rank: tuple[RankPoints, ...] = ()
    """Points by place."""
    manual: tuple[ManualPoints, ...] = ()
    """Points given by a person."""
    cap: Points | None = None
    """The most points a submission can have, before lateness; absent: their sum."""
    late: LatePolicy | None = None
    """Absent: lateness costs nothing."""

    @property
    def possible(self) -> dict[str, float]:
        """The most points there are, by who gives them, before `cap`."""
        return {
            "automatic": sum(line.points for line in self.points),
            "by_rank": sum(line.points for line in self.rank),
            "by_hand": sum(line.points for line in self.manual),
        }

    @model_validator(mode="after")
    def _distinct_names(self) -> Self:
        names = [line.name for line in self.manual]
        for number, name in enumerate(names):
            if name in names[:number]:
                raise MistakeAt(f"manual.{number}.name", f"two [[rubric.manual]] are called {name}: rename one")
        return self


class RankKey(Value):
    """One key of the ranking."""

    metric: str
    """A metric of one of the evaluators."""
    higher_is_better: bool
    """Its direction."""


class BoardRules(Value):
    """`[board]`: which attempt counts and what the class sees. May be changed after grading."""

    attempts: Literal["last", "best"] = "last"
    """The attempt that counts: the last one, or the one that ranks best."""
    names: Literal["nicknames", "anonymous"] = "nicknames"
    """`anonymous`: names nobody chose, the same each time, instead of nicknames and ids."""
    pareto: str | None = None
    """What accuracy is plotted against; absent: the first metric about the weights that it ranks by, or else shows."""
    platform_shows: Literal["visible", "after_due_date", "after_published", "hidden"] = "visible"
    """When a platform that checks hand-ins itself, such as Gradescope, shows students what was found."""
    platform_minutes: float = Field(default=10, ge=2)
    """How long that platform lets a check run; Gradescope's timeout is 10 unless its settings say otherwise."""


class AssignmentFile(Value):
    """The whole file."""

    schema_version: Literal[1] = 1
    """The version of this format."""
    id: Name
    """Names the assignment in results and stores."""
    title: str
    """Heads boards and reports."""
    submission: SubmissionRules
    """What a hand-in must contain."""
    data: dict[Name, DataRules]
    """Data sets by name; `test` is required."""
    images: ImageRules
    """From a file to the network's input."""
    limits: Limits = Limits()
    """Time and memory."""
    teacher: TeacherRules | None = None
    """A large network to compare with."""
    baselines: dict[Name, Fraction] = Field(default_factory=dict)
    """Named accuracies, lowest first."""
    evaluators: Annotated[dict[str, dict[str, Any]], Field(min_length=1)]
    """Evaluators by name, each with its options; they run in this order."""
    class_evaluators: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Comparisons across the class by name, each with its options. Grading then keeps the weights for them."""
    rubric: Rubric = Rubric()
    """How checks and metrics become points."""
    ranking: Annotated[tuple[RankKey, ...], Field(min_length=1)]
    """Keys of the ranking, the most important first; later ones break ties."""
    board: BoardRules = BoardRules()
    """Which attempt counts and what the class sees."""

    @property
    def zone(self) -> tzinfo:
        """By whose clocks its days begin and end."""
        return (self.rubric.late and self.rubric.late.zone) or UTC

    @model_validator(mode="after")
    def _has_test_data(self) -> Self:
        if "test" not in self.data:
            raise ValueError("[data.test] is missing: the data set that is graded")
        return self

    @model_validator(mode="after")
    def _crops_fit(self) -> Self:
        largest, whole = max(self.submission.input_sizes), self.images.crop_from
        if whole is not None and whole < largest:
            what = f"crop_from = {whole} is too small to cut {largest}x{largest} pixels out of; write {largest} or more"
            raise MistakeAt("images.crop_from", what)
        return self
