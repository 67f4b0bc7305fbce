"""Assignment files: limits, data, evaluators and rubric in TOML, validated as a whole.

Every mistake of a file is reported at once, with its place and a suggestion. `harness.assignment_schema` gives
editors the rules.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, FiniteFloat, JsonValue, field_validator, model_validator

from harness.api import ClassEvaluator, Evaluator, Fraction, Options, PositiveInt, Value
from harness.assignment_mistakes import missing_data, references, tables, unknown, validated
from harness.errors import AssignmentError, Problem, UsageError
from harness.plugins import Plugins, suggestion
from harness.resources import fixtures
from harness.results import AssignmentInfo, DataInfo

Points = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]


class SubmissionRules(Value):
    """`[submission]`: what a hand-in must contain."""

    entry_points: Annotated[tuple[str, ...], Field(min_length=1)]
    """Names of the class or factory function that makes the model; the first one defined is taken."""
    kd_functions: tuple[str, ...] = ("loss_fn_kd",)
    """Names of the knowledge-distillation loss, in order of preference."""
    model_arguments: dict[str, JsonValue] = Field(default_factory=dict)
    """Keyword arguments for the entry point."""
    input_sizes: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    """Allowed image sizes in pixels; the first is the default."""
    predictions: bool = False
    """Whether a table of predicted classes may be handed in without the network, as on Kaggle."""


class DataRules(Value):
    """`[data.<name>]`: one data set. `test` is graded; `calibration` has training images for BatchNorm's statistics."""

    id: Name
    dataset: str
    """The plugin that reads it."""
    path: str
    """Relative to the assignment file; `--data NAME=PATH` overrides it."""
    stand_in: bool = False
    public_fraction: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of the images that is public; absent: all of them, no split."""


class ImageRules(Value):
    """`[images]`: from a file to the network's input."""

    classes: Annotated[int, Field(ge=2)]
    class_names: tuple[str, ...] = ()
    """For reports, in the order of the labels; absent: their numbers."""
    channels: Literal[1, 3] = 3
    """Greyscale images are repeated to this many channels."""
    resize: Literal["stretch", "center_crop", "none"]
    """`stretch` to SxS; `center_crop`: shorter side to S, then the middle; `none`: images must be SxS already."""
    mean: tuple[FiniteFloat, ...]
    std: tuple[Annotated[float, Field(gt=0)], ...]

    @model_validator(mode="after")
    def _one_number_per_channel(self) -> Self:
        for name, numbers in (("mean", self.mean), ("std", self.std)):
            if len(numbers) != self.channels:
                raise ValueError(f"{name} has {len(numbers)} numbers for {self.channels} channels")
        return self

    @model_validator(mode="after")
    def _one_name_per_class(self) -> Self:
        if len(self.class_names) not in (0, self.classes):
            raise ValueError(f"class_names has {len(self.class_names)} names for {self.classes} classes")
        return self


class Limits(Value):
    """`[limits]`: what a submission may use. Each has a status of its own when it is exceeded."""

    import_seconds: Annotated[float, Field(gt=0)] = 30
    build_seconds: Annotated[float, Field(gt=0)] = 30
    forward_seconds: Annotated[float, Field(gt=0)] = 300
    """For one pass over all images of a data set."""
    request_seconds: Annotated[float, Field(gt=0)] = 60
    """For any other single request, such as the KD probes."""
    cpu_seconds: PositiveInt = 1800
    """Processor time of one worker over its whole life, on however many threads."""
    memory_bytes: Annotated[int, Field(ge=2**29)] = 3 * 2**30
    threads: PositiveInt = 64
    """Of one worker, all told."""
    submission_bytes: PositiveInt = 200 * 2**20
    tensor_bytes: PositiveInt = 256 * 2**20


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
    points: Points
    check: str | None = None
    metric: str | None = None
    baseline: str | None = None
    """A name from `[baselines]`, compared with `metric` (default: accuracy)."""
    at_least: FiniteFloat | None = None
    at_most: FiniteFloat | None = None

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
    points: Points
    metric: str = "accuracy"
    top: PositiveInt | None = None
    """Only the first so many places get the points; absent: linear from first to last."""


class ManualPoints(Value):
    """`[[rubric.manual]]`: points a person gives, such as a report."""

    name: str
    points: Points


class LatePolicy(Value):
    """`[rubric.late]`: what a day of delay costs."""

    due: str | None = None
    """ISO 8601 with a time zone."""
    grace_minutes: Annotated[float, Field(ge=0)] = 0
    percent_per_day: Annotated[float, Field(ge=0, le=100)] = 0
    most_percent: Annotated[float, Field(ge=0, le=100)] = 100
    """The most that lateness costs, however long it is."""

    @field_validator("due")
    @classmethod
    def _moment(cls, due: str | None) -> str | None:
        try:
            zone = due is None or datetime.fromisoformat(due).tzinfo
        except ValueError as error:
            raise ValueError("needs a date and time such as 2026-01-31T23:59:00+08:00") from error
        if not zone:
            raise ValueError("needs a time zone, such as 2026-01-31T23:59:00+08:00")
        return due


class Rubric(Value):
    """`[rubric]`: how checks and metrics become points."""

    gates: tuple[str, ...] = ()
    """Checks that make the score 0 when they fail."""
    points: tuple[PointRule, ...] = ()
    rank: tuple[RankPoints, ...] = ()
    manual: tuple[ManualPoints, ...] = ()
    cap: Points | None = None
    """The most points a submission can have, before lateness; absent: their sum."""
    late: LatePolicy | None = None

    @model_validator(mode="after")
    def _distinct_names(self) -> Self:
        names = [line.name for line in self.manual]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two [[rubric.manual]] are called {', '.join(doubled)}")
        return self


class RankKey(Value):
    """One key of the ranking."""

    metric: str
    higher_is_better: bool


class BoardRules(Value):
    """`[board]`: which attempt counts and what the class sees. May be changed after grading."""

    attempts: Literal["last", "best"] = "last"
    """The attempt that counts: the last one, or the one that ranks best."""
    names: Literal["nicknames", "anonymous"] = "nicknames"
    """`anonymous`: names nobody chose, the same each time, instead of nicknames and ids."""
    pareto: str = "parameters"
    """The metric against which accuracy is plotted and the Pareto front is drawn."""


class AssignmentFile(Value):
    """The whole file."""

    schema_version: Literal[1] = 1
    id: Name
    title: str
    submission: SubmissionRules
    data: dict[Name, DataRules]
    images: ImageRules
    limits: Limits = Limits()
    teacher: TeacherRules | None = None
    """A large network to compare with."""
    baselines: dict[Name, Fraction] = Field(default_factory=dict)
    """Named accuracies, lowest first."""
    evaluators: Annotated[dict[str, dict[str, Any]], Field(min_length=1)]
    class_evaluators: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Comparisons across the class by name, each with its options. Grading then keeps the weights for them."""
    rubric: Rubric = Rubric()
    ranking: Annotated[tuple[RankKey, ...], Field(min_length=1)]
    board: BoardRules = BoardRules()

    @model_validator(mode="after")
    def _has_test_data(self) -> Self:
        if "test" not in self.data:
            raise ValueError("[data.test] is missing: the data set that is graded")
        return self


@dataclass(frozen=True, slots=True)
class Assignment:
    """A validated assignment with its options parsed and its data folders resolved."""

    rules: AssignmentFile
    options: Mapping[str, Options]
    """Evaluator name -> its parsed options, in the file's order."""
    data_paths: Mapping[str, Path]
    digest: str
    source: Path
    class_options: Mapping[str, Options] = field(default_factory=dict)
    """Class evaluator name -> its parsed options, in the file's order."""

    @property
    def id(self) -> str:
        return self.rules.id

    @property
    def info(self) -> AssignmentInfo:
        """What results carry of the assignment."""
        test = self.rules.data["test"]
        return AssignmentInfo(id=self.id, digest=self.digest, data=DataInfo(id=test.id, stand_in=test.stand_in))

    def with_data(self, overrides: Mapping[str, Path]) -> Assignment:
        """The same assignment on other data; overridden data is not a stand-in any more.

        Naming the folder that is used anyway changes nothing: a stand-in stays one.

        Raises:
            UsageError: no data set of that name, or no such folder.
        """
        data, paths = dict(self.rules.data), dict(self.data_paths)
        for name, path in overrides.items():
            if name not in data:
                raise UsageError(f"--data {name}={path}: no [data.{name}] in {self.source}{suggestion(name, data)}")
            if not path.is_dir():
                raise UsageError(f"--data {name}={path}: no such folder")
            if path.resolve() == paths[name].resolve():
                continue
            identity = "".join(each if each.isalnum() else "-" for each in path.resolve().name.lower()).strip("-")
            data[name] = data[name].model_copy(update={"id": identity or "data", "stand_in": False})
            paths[name] = path
        rules = self.rules.model_copy(update={"data": data})
        return replace(self, rules=rules, data_paths=paths, digest=_digest(rules))


def shipped() -> dict[str, Path]:
    """The ids and files of the assignments that come with the harness."""
    return {file.stem: file for file in sorted((fixtures() / "assignments").glob("*.toml"))}


def load(name: str, plugins: Plugins, *, data: Mapping[str, Path] | None = None, needs_data: bool = True) -> Assignment:
    """Read and validate an assignment.

    Args:
        name: a path, or the id of a shipped assignment.
        data: folders to use instead of the file's, by data set; the file's own then need not exist.
        needs_data: False for those who only rank or report: the folders need not exist.

    Raises:
        UsageError: there is no such file or id, or `data` names an unknown data set or no folder.
        AssignmentError: the file has mistakes; carries all of them.
    """
    path = Path(name)
    if not path.is_file():
        if name not in shipped():
            what = "a folder, not a file" if path.is_dir() else "neither a file nor a shipped assignment"
            raise UsageError(f"{name}: {what} (shipped: {', '.join(shipped())}){suggestion(name, shipped())}")
        path = shipped()[name]
    source = str(path) if Path(name).is_file() else path.name
    found = frozenset(data or ())
    return _parse(path, source, plugins, found if needs_data else None).with_data(data or {})


def _parse(path: Path, source: str, plugins: Plugins, found: Collection[str] | None) -> Assignment:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{source}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AssignmentError(source, [Problem("", f"not a TOML file: {error}")]) from error
    problems: list[Problem] = []
    rules = validated(AssignmentFile, document, (), problems)
    options = _options(document, "evaluators", plugins.evaluators, problems)
    class_options = _options(document, "class_evaluators", plugins.class_evaluators, problems)
    problems += references(document, plugins) + missing_data(document, path.parent, plugins, found)
    if problems or rules is None:
        raise AssignmentError(source, problems)
    data_paths = {name: path.parent / data.path for name, data in rules.data.items()}
    return Assignment(rules, options, data_paths, _digest(rules), path, class_options)


def _options(
    document: Mapping[str, Any],
    key: str,
    known: Mapping[str, Evaluator | ClassEvaluator],
    problems: list[Problem],
) -> dict[str, Options]:
    parsed: dict[str, Options] = {}
    for name, table in tables(document, key).items():
        where = (key, name)
        if name not in known:
            problems.append(unknown(".".join(where), key.removesuffix("s").replace("_", " "), name, known))
            continue
        if not isinstance(table, dict):
            continue  # told already, with the rest of the file
        options = validated(known[name].Options, table, where, problems)
        if options is not None:
            parsed[name] = options
    return parsed


def _digest(rules: AssignmentFile) -> str:
    # Comparisons across the class and what boards apply change nobody's result: tuning them makes no result stale.
    later = dict.fromkeys(("class_evaluators", "title", "ranking", "board"), True)
    parts = {"images": {"class_names"}, "rubric": {"rank", "manual", "cap", "late"}}
    kept = rules.model_dump_json(exclude={**later, **parts})
    return "sha256:" + hashlib.sha256(kept.encode()).hexdigest()
