"""Load assignment files: limits, data, evaluators and rubric in TOML, validated as a whole.

Every mistake of a file is reported at once, with its place and a suggestion. `harness.assignment.schema` gives
editors the rules.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from harness.assignment.mistakes import missing_data, missing_starter, references, tables, validated
from harness.assignment.places import all_placed
from harness.assignment.shipped import fixtures
from harness.assignment.syntax import syntax_mistake
from harness.contracts.evaluator import ClassEvaluator, Evaluator, StatesLimits
from harness.errors import AssignmentError, Problem, UsageError
from harness.plugins import Plugins
from harness.plugins.faults import blaming
from harness.plugins.kinds import EVALUATOR
from harness.text import suggestion
from harness.values.base import Options
from harness.values.measures import Measures
from harness.values.results import (
    AssignmentInfo,
    DataInfo,
)
from harness.values.rules import AssignmentFile


def metric_limits(assignment: Assignment, plugins: Plugins) -> dict[str, float]:
    """The most that metrics may be: what evaluators state, and where points depend on it."""
    found = {rule.metric: rule.at_most for rule in assignment.rules.rubric.points if rule.metric and rule.at_most}
    for name, options in assignment.options.items():
        found |= stated_limits(plugins.evaluators[name], options)
    return found


def stated_limits(evaluator: Evaluator[Any], options: Options) -> Mapping[str, float]:
    """Metric -> the most it may be, as an evaluator states it.

    Raises:
        PluginError: it failed at that.
    """
    if not isinstance(evaluator, StatesLimits):
        return {}
    with blaming(EVALUATOR, evaluator, "limits"):
        return dict(evaluator.limits(options))


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
    evaluators: Mapping[str, Evaluator[Any]] = field(default_factory=dict)
    """Those it names, in the file's order."""
    measures: Measures = field(default_factory=Measures)
    """What they declare."""

    @property
    def id(self) -> str:
        return self.rules.id

    @property
    def argument(self) -> str:
        """What commands call it: its id, or the path of its file."""
        return self.id if shipped().get(self.id) == self.source else str(self.source)

    @property
    def starter(self) -> tuple[Path, ...]:
        """The sources that everybody was given."""
        return tuple(self.source.parent / each for each in self.rules.submission.starter)

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


def names_an_assignment(name: str) -> bool:
    """Whether it is the id of a shipped one, or a file that may hold one."""
    return name in shipped() or (name.endswith(".toml") and Path(name).is_file())


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
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{source}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise AssignmentError(source, [Problem("", f"not a TOML file: {error}; save it as UTF-8")]) from error
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise AssignmentError(source, [syntax_mistake(text, error)]) from error
    problems: list[Problem] = []
    rules = validated(AssignmentFile, document, (), problems)
    options = _options(document, "evaluators", plugins, problems)
    class_options = _options(document, "class_evaluators", plugins, problems)
    problems += references(document, plugins) + missing_data(document, path.parent, plugins, found)
    problems += missing_starter(document, path.parent)
    if problems or rules is None:
        raise AssignmentError(source, all_placed(problems, text))
    data_paths = {name: path.parent / data.path for name, data in rules.data.items()}
    used = {name: plugins.evaluators[name] for name in options}
    measures = plugins.measures(options)
    return Assignment(rules, options, data_paths, _digest(rules), path, class_options, used, measures)


def _options(
    document: Mapping[str, Any],
    key: Literal["evaluators", "class_evaluators"],
    plugins: Plugins,
    problems: list[Problem],
) -> dict[str, Options]:
    parsed: dict[str, Options] = {}
    known: Mapping[str, Evaluator[Any] | ClassEvaluator[Any]] = getattr(plugins, key)
    for name, table in tables(document, key).items():
        where = (key, name)
        if name not in known:
            kind = key.removesuffix("s").replace("_", " ")
            problems.append(Problem(".".join(where), f"unknown {kind} {name!r}{plugins.missing(name, known)}"))
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
    submission, rubric = {"attempts_per_day", "starter"}, {"rank", "manual", "cap", "late"}
    parts = {"images": {"class_names"}, "submission": submission, "rubric": rubric}
    kept = rules.model_dump_json(exclude={**later, **parts})
    return "sha256:" + hashlib.sha256(kept.encode()).hexdigest()
