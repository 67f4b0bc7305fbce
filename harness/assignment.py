"""Assignment files: limits, data, evaluators and rubric in TOML, validated as a whole.

Every mistake of a file is reported at once, with its place and a suggestion. `json_schema()` gives editors the rules.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, FiniteFloat, JsonValue, TypeAdapter, ValidationError, model_validator

from harness.api import Fraction, Options, PositiveInt, Value
from harness.errors import AssignmentError, Problem, UsageError
from harness.plugins import Plugins, suggestion
from harness.resources import fixtures

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


class DataRules(Value):
    """`[data.<name>]`: one data set. `test` is graded."""

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


class Limits(Value):
    """`[limits]`: what a submission may use. Each has a status of its own when it is exceeded."""

    import_seconds: Annotated[float, Field(gt=0)] = 30
    build_seconds: Annotated[float, Field(gt=0)] = 30
    forward_seconds: Annotated[float, Field(gt=0)] = 300
    """For one pass over all images of a data set."""
    request_seconds: Annotated[float, Field(gt=0)] = 60
    """For any other single request, such as the KD probes."""
    memory_bytes: Annotated[int, Field(ge=2**29)] = 3 * 2**30
    submission_bytes: PositiveInt = 200 * 2**20
    tensor_bytes: PositiveInt = 256 * 2**20


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


class Rubric(Value):
    """`[rubric]`: how checks and metrics become points."""

    gates: tuple[str, ...] = ()
    """Checks that make the score 0 when they fail."""
    points: tuple[PointRule, ...] = ()
    rank: tuple[RankPoints, ...] = ()
    manual: tuple[ManualPoints, ...] = ()
    late: LatePolicy | None = None


class RankKey(Value):
    """One key of the ranking."""

    metric: str
    higher_is_better: bool


class AssignmentFile(Value):
    """The whole file."""

    schema_version: Literal[1] = 1
    id: Name
    title: str
    submission: SubmissionRules
    data: dict[Name, DataRules]
    images: ImageRules
    limits: Limits = Limits()
    baselines: dict[Name, Fraction] = Field(default_factory=dict)
    """Named accuracies, lowest first."""
    evaluators: Annotated[dict[str, dict[str, Any]], Field(min_length=1)]
    rubric: Rubric = Rubric()
    ranking: Annotated[tuple[RankKey, ...], Field(min_length=1)]

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

    @property
    def id(self) -> str:
        return self.rules.id

    def with_data(self, overrides: Mapping[str, Path]) -> Assignment:
        """The same assignment on other data; overridden data is not a stand-in any more.

        Raises:
            UsageError: no data set of that name, or no such folder.
        """
        data, paths = dict(self.rules.data), dict(self.data_paths)
        for name, path in overrides.items():
            if name not in data:
                raise UsageError(f"--data {name}={path}: no [data.{name}] in {self.source}{suggestion(name, data)}")
            if not path.is_dir():
                raise UsageError(f"--data {name}={path}: no such folder")
            identity = "".join(each if each.isalnum() else "-" for each in path.resolve().name.lower()).strip("-")
            data[name] = data[name].model_copy(update={"id": identity or "data", "stand_in": False})
            paths[name] = path
        rules = self.rules.model_copy(update={"data": data})
        return replace(self, rules=rules, data_paths=paths, digest=_digest(rules))


def shipped() -> dict[str, Path]:
    """The ids and files of the assignments that come with the harness."""
    return {file.stem: file for file in sorted((fixtures() / "assignments").glob("*.toml"))}


def load(name: str, plugins: Plugins) -> Assignment:
    """Read and validate an assignment.

    Args:
        name: a path, or the id of a shipped assignment.

    Raises:
        UsageError: there is no such file or id.
        AssignmentError: the file has mistakes; carries all of them.
    """
    path = Path(name)
    if not path.is_file():
        if name not in shipped():
            raise UsageError(
                f"no assignment {name!r}: neither a file nor one of {', '.join(shipped())}{suggestion(name, shipped())}"
            )
        path = shipped()[name]
    return _parse(path, str(path) if Path(name).is_file() else path.name, plugins)


def json_schema(plugins: Plugins) -> dict[str, Any]:
    """The JSON schema of assignment files, with the options of the installed evaluators, for editors."""
    schema = TypeAdapter(AssignmentFile).json_schema()
    options = {name: evaluator.Options.model_json_schema() for name, evaluator in plugins.evaluators.items()}
    schema["properties"]["evaluators"] = {
        "type": "object",
        "minProperties": 1,
        "properties": options,
        "additionalProperties": False,
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _parse(path: Path, source: str, plugins: Plugins) -> Assignment:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AssignmentError(source, [Problem("", f"not a TOML file: {error}")]) from error
    problems: list[Problem] = []
    options = _options(document.get("evaluators"), plugins, problems)
    rules = _validated(AssignmentFile, document, (), problems)
    if isinstance(rules, AssignmentFile):
        problems += _references(rules, plugins)
        problems += _data_problems(rules, path.parent, plugins)
    if problems or not isinstance(rules, AssignmentFile):
        raise AssignmentError(source, problems)
    data_paths = {name: path.parent / data.path for name, data in rules.data.items()}
    return Assignment(rules, options, data_paths, _digest(rules), path)


def _options(tables: Any, plugins: Plugins, problems: list[Problem]) -> dict[str, Options]:
    parsed: dict[str, Options] = {}
    for name, table in tables.items() if isinstance(tables, dict) else ():
        where = ("evaluators", name)
        if name not in plugins.evaluators:
            problems.append(_unknown(where, "evaluator", name, plugins.evaluators))
            continue
        options = _validated(plugins.evaluators[name].Options, table, where, problems)
        if isinstance(options, Options):
            parsed[name] = options
    return parsed


def _validated(model: type[Value | Options], data: Any, where: tuple[str, ...], problems: list[Problem]) -> Any:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems.extend(_problem(model, each, where) for each in error.errors(include_url=False))
        return None


def _problem(model: type[Value | Options], error: Any, where: tuple[str, ...]) -> Problem:
    path = ".".join(str(part) for part in (*where, *error["loc"]))
    match error["type"]:
        case "extra_forbidden":
            known = _fields_at(model, error["loc"][:-1])
            return Problem(path, f"unknown key{suggestion(str(error['loc'][-1]), known)}")
        case "missing":
            return Problem(path, "required, but missing")
        case _:
            message = error["msg"].removeprefix("Value error, ")
            given = f" (got {error['input']!r})" if isinstance(error["input"], str | int | float) else ""
            return Problem(path, message[:1].lower() + message[1:] + given)


def _fields_at(model: type[Value | Options], location: Iterable[str | int]) -> list[str]:
    """The keys allowed at a place of the model, found through its JSON schema."""
    root = model.model_json_schema()
    node: Any = root
    for part in location:
        node = _resolved(node, root)
        node = node.get("items", {}) if isinstance(part, int) else _child(node, part)
    return list(_resolved(node, root).get("properties", {}))


def _child(node: dict[str, Any], key: str) -> dict[str, Any]:
    child: dict[str, Any] = node.get("properties", {}).get(key) or node.get("additionalProperties") or {}
    return child


def _resolved(node: Any, root: dict[str, Any]) -> dict[str, Any]:
    for alternative in node.get("anyOf", ()):
        if "$ref" in alternative:
            node = alternative
    if "$ref" in node:
        return dict(root["$defs"][node["$ref"].rsplit("/", 1)[1]])
    return dict(node)


def _references(rules: AssignmentFile, plugins: Plugins) -> list[Problem]:
    """Names in the rubric and the ranking that nothing provides."""
    used = [plugins.evaluators[name] for name in rules.evaluators if name in plugins.evaluators]
    provided = sorted(set().union(*(evaluator.provides for evaluator in used)))
    named = [(f"rubric.gates.{i}", name) for i, name in enumerate(rules.rubric.gates)]
    named += [(f"rubric.points.{i}.check", rule.check) for i, rule in enumerate(rules.rubric.points) if rule.check]
    named += [(f"rubric.points.{i}.metric", rule.metric) for i, rule in enumerate(rules.rubric.points) if rule.metric]
    named += [(f"rubric.rank.{i}.metric", rule.metric) for i, rule in enumerate(rules.rubric.rank)]
    named += [(f"ranking.{i}.metric", key.metric) for i, key in enumerate(rules.ranking)]
    problems = [
        Problem(where, f"no evaluator of this assignment provides {name!r}{suggestion(name, provided)}")
        for where, name in named
        if name not in provided
    ]
    for i, rule in enumerate(rules.rubric.points):
        if rule.baseline is not None and rule.baseline not in rules.baselines:
            problems.append(_unknown((f"rubric.points.{i}.baseline",), "baseline", rule.baseline, rules.baselines))
    return problems


def _data_problems(rules: AssignmentFile, folder: Path, plugins: Plugins) -> list[Problem]:
    problems = []
    for name, data in rules.data.items():
        if data.dataset not in plugins.datasets:
            problems.append(_unknown((f"data.{name}.dataset",), "data set kind", data.dataset, plugins.datasets))
        if not (folder / data.path).is_dir():
            problems.append(Problem(f"data.{name}.path", f"no such folder: {folder / data.path}"))
    return problems


def _unknown(where: tuple[str, ...], kind: str, name: str, known: Iterable[str]) -> Problem:
    hint = suggestion(name, known) or "; "
    return Problem(".".join(where), f"unknown {kind} {name!r}{hint} 'harness plugins' lists them".replace(";  ", "; "))


def _digest(rules: AssignmentFile) -> str:
    return "sha256:" + hashlib.sha256(rules.model_dump_json().encode()).hexdigest()
