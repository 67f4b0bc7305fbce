"""Find every mistake of an assignment file at once.

References between the parts of a file are looked up in the raw document: a misspelt key in one table must not hide an
unknown name in another.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from harness.assignment.cures import cure
from harness.errors import Problem
from harness.plugins import Plugins
from harness.text import suggestion
from harness.values.base import MistakeAt
from harness.values.measures import ACCURACY, Measures

Model = TypeVar("Model", bound=BaseModel)
Kind = Literal["check", "metric"]
_WORDS = {"an object": "a table", "a valid tuple": "a list", "a valid array": "a list", "a valid dictionary": "a table"}
"""Of pydantic's messages, in the words of TOML."""


def validated(model: type[Model], data: Any, where: Sequence[str], problems: list[Problem]) -> Model | None:
    """`data` as `model`; None after adding every mistake to `problems`.

    Types are strict, as TOML's are: the text "100000" is no number. Reading it as JSON is what makes arrays tuples.
    """
    try:
        return model.model_validate_json(json.dumps(data, default=_iso), strict=True)
    except ValidationError as error:
        problems.extend(_problems(model, error.errors(include_url=False), where))
        return None


def references(document: Mapping[str, Any], plugins: Plugins) -> list[Problem]:
    """Names in the rubric and the ranking that no evaluator of the file provides."""
    used = [name for name in tables(document, "evaluators") if name in plugins.evaluators]
    provided = plugins.measures(used)
    kinds: dict[Kind, Collection[str]] = {"check": sorted(provided.checks), "metric": sorted(provided.metrics)}
    missing = [
        Problem(where, f"no evaluator of this assignment provides {name!r}{suggestion(name, kinds[kind])}")
        for where, kind, name in _named(document)
        if name not in kinds[kind]
    ]
    baselines = tables(document, "baselines")
    return [*missing, *_doubled(used, plugins), *_out_of_reach(document, provided)] + [
        unknown(f"{where}.baseline", "baseline", row["baseline"], baselines)
        for where, row in _rows(document, "rubric", "points")
        if isinstance(row.get("baseline"), str) and row["baseline"] not in baselines
    ]


def _doubled(used: Iterable[str], plugins: Plugins) -> Iterator[Problem]:
    """Checks and metrics that two evaluators provide: results would not say whose they are."""
    providers: dict[str, str] = {}
    for evaluator in used:
        names = plugins.measures([evaluator]).names
        doubled = sorted(names & providers.keys())
        if doubled:
            others = ", ".join(sorted({providers[name] for name in doubled}))
            yield Problem(
                f"evaluators.{evaluator}", f"provides {', '.join(doubled)}, as {others} does: use one of them"
            )
        providers |= dict.fromkeys(names, evaluator)


def _out_of_reach(document: Mapping[str, Any], provided: Measures) -> Iterator[Problem]:
    """Levels that a metric cannot have by its unit: 90 for a fraction, an accuracy for a number of parameters."""
    for where, row in _rows(document, "rubric", "points"):
        name = row.get("metric", ACCURACY)
        unit = provided.metrics[name].unit if isinstance(name, str) and name in provided.metrics else None
        for key in ("at_least", "at_most"):
            level = row.get(key)
            if unit == "fraction" and isinstance(level, int | float) and abs(level) > 1:
                percent = f": {level:g} % is {level / 100:g}" if 0 < level <= 100 else ""
                yield Problem(f"{where}.{key}", f"{name} is a fraction, at most 1{percent} (got {level:g})")
        if unit not in (None, "fraction") and "baseline" in row:
            yield Problem(f"{where}.baseline", f"[baselines] are accuracies; {name} needs at_least or at_most")


def missing_data(
    document: Mapping[str, Any], folder: Path, plugins: Plugins, found: Collection[str] | None
) -> list[Problem]:
    """Unknown kinds of data, and folders that do not exist.

    Args:
        folder: what the paths in the file are relative to.
        found: data sets that were found elsewhere; None: no folder is needed.
    """
    problems = []
    for name, table in tables(document, "data").items():
        kind, path = (table.get(key) if isinstance(table, dict) else None for key in ("dataset", "path"))
        if isinstance(kind, str) and kind not in plugins.datasets:
            problems.append(
                Problem(
                    f"data.{name}.dataset", f"unknown data set kind {kind!r}{plugins.missing(kind, plugins.datasets)}"
                )
            )
        needed = found is not None and name not in found
        if needed and isinstance(path, str) and not (folder / path).is_dir():
            what = f"no such folder: {folder / path}; --data {name}=FOLDER names another"
            problems.append(Problem(f"data.{name}.path", what))
    return problems


def missing_starter(document: Mapping[str, Any], folder: Path) -> list[Problem]:
    """Sources that everybody was given, and that are not there."""
    files = tables(document, "submission").get("starter")
    return [
        Problem(f"submission.starter.{number}", f"no such file: {folder / each}")
        for number, each in enumerate(files if isinstance(files, list) else ())
        if isinstance(each, str) and not (folder / each).is_file()
    ]


def unknown(where: str, kind: str, name: str, known: Iterable[str]) -> Problem:
    """'unknown baseline 'simpel'; did you mean 'simple'? (known: simple, strong)'."""
    names = sorted(known)
    return Problem(where, f"unknown {kind} {name!r}{suggestion(name, names)} (known: {', '.join(names) or 'none'})")


def tables(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The table `[key]`, or an empty one where the file has none or something else."""
    table = document.get(key)
    return table if isinstance(table, dict) else {}


def _named(document: Mapping[str, Any]) -> Iterator[tuple[str, Kind, str]]:
    """Every place that names a check or a metric, with the name; a metric left out is accuracy."""
    gates = tables(document, "rubric").get("gates")
    for index, gate in enumerate(gates if isinstance(gates, list) else ()):
        yield from _text(f"rubric.gates.{index}", "check", gate)
    for where, row in _rows(document, "rubric", "points"):
        yield from _text(f"{where}.check", "check", row.get("check"))
        default = ACCURACY if "baseline" in row else None
        yield from _text(f"{where}.metric", "metric", row.get("metric", default))
    for where, row in _rows(document, "rubric", "rank"):
        yield from _text(f"{where}.metric", "metric", row.get("metric", ACCURACY))
    for where, row in _rows(document, "ranking"):
        yield from _text(f"{where}.metric", "metric", row.get("metric"))
    yield from _text("board.pareto", "metric", tables(document, "board").get("pareto"))


def _text(where: str, kind: Kind, name: Any) -> Iterator[tuple[str, Kind, str]]:
    if isinstance(name, str):
        yield where, kind, name


def _rows(document: Mapping[str, Any], *path: str) -> list[tuple[str, dict[str, Any]]]:
    """The tables of the array at `path`, each with its place."""
    node: Any = document
    for part in path:
        node = node.get(part) if isinstance(node, dict) else None
    rows = enumerate(node if isinstance(node, list) else ())
    return [(f"{'.'.join(path)}.{index}", row) for index, row in rows if isinstance(row, dict)]


def _iso(value: Any) -> str:
    """TOML's dates, the only values of it that JSON does not have."""
    assert isinstance(value, date | datetime | time), value
    return value.isoformat()


def _problems(model: type[BaseModel], errors: Sequence[Any], where: Sequence[str]) -> Iterator[Problem]:
    """Every mistake, but not that a list is too short without elements that are mistakes themselves."""
    for error in errors:
        place = error["loc"]
        inside = any(each["loc"][: len(place)] == place for each in errors if each is not error)
        if error["type"] != "too_short" or not inside:
            yield _problem(model, error, where)


def _problem(model: type[BaseModel], error: Any, where: Sequence[str]) -> Problem:
    location = [part for part in error["loc"] if part != "[key]"]
    cause = error.get("ctx", {}).get("error")
    places = [cause.where] if isinstance(cause, MistakeAt) else []
    path = ".".join(str(part) for part in (*where, *location, *places))
    match error["type"]:
        case "extra_forbidden":
            known = list(_properties_at(model, location[:-1]))
            return Problem(path, f"unknown key{suggestion(str(location[-1]), known) or _allowed(known)}")
        case "missing":
            schema = _properties_at(model, location[:-1]).get(str(location[-1]), {})
            return Problem(path, f"required, but missing{cure(error, schema)}")
        case _:
            message = error["msg"].removeprefix("Value error, ")
            for theirs, ours in _WORDS.items():
                message = message.replace(theirs, ours)
            given = f" (got {error['input']!r})" if isinstance(error["input"], str | int | float) else ""
            return Problem(path, message[:1].lower() + message[1:] + given + cure(error, {}))


def _allowed(known: list[str]) -> str:
    return f" (known: {', '.join(known)})" if known else "; there are none here"


def _properties_at(model: type[BaseModel], location: Sequence[str | int]) -> dict[str, Any]:
    """The keys allowed at a place of the model, with what each may be, found through its JSON schema."""
    root = model.model_json_schema()
    node: Any = root
    for part in location:
        node = _resolved(node, root)
        node = node.get("items", {}) if isinstance(part, int) else _child(node, part)
    properties: dict[str, Any] = _resolved(node, root).get("properties", {})
    return properties


def _child(node: dict[str, Any], key: str) -> dict[str, Any]:
    by_pattern: dict[str, Any] = next(iter(node.get("patternProperties", {}).values()), {})
    rest = node.get("additionalProperties")
    child: dict[str, Any] = (
        node.get("properties", {}).get(key) or by_pattern or (rest if isinstance(rest, dict) else {})
    )
    return child


def _resolved(node: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    for alternative in node.get("anyOf", ()):
        if "$ref" in alternative:
            node = alternative
    if "$ref" in node:
        return dict(root["$defs"][node["$ref"].rsplit("/", 1)[1]])
    return dict(node)
