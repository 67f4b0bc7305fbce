"""Make the parts of the documentation that follow from the code. cog calls it, from the root of the repository.

Every function returns Markdown and depends on nothing but the code: not on the terminal's width, not on other plugins
that happen to be installed, not on the time. A key without an explanation is an error here, so none stays unexplained.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import distribution
from pathlib import Path
from types import ModuleType
from typing import Any

import click
from pydantic import BaseModel
from schema_words import default_of, nullable, type_of

from harness import api
from harness.assignment import loading as assignment
from harness.cli import COMMANDS, main
from harness.contracts import hooks as hookspecs
from harness.plugins import Plugins
from harness.plugins.loading import HOOKS
from harness.submission import settings
from harness.values import board, networks, results, rules
from harness.values.meanings import meanings
from harness.values.measures import Measures
from harness.vocabulary import STATUSES, ExitCode, describe_exit, describe_status

DOCS = Path(__file__).parent
_COLUMNS = 80


def command_help() -> str:
    """`--help` of the program and of every command."""
    top = click.Context(main, info_name="harness", terminal_width=_COLUMNS, **main.context_settings)
    parts = [_fenced("text", f"$ harness --help\n{main.get_help(top)}")]
    for name in COMMANDS:
        command = main.get_command(top, name) if isinstance(main, click.Group) else None
        assert command is not None, name
        context = click.Context(command, parent=top, info_name=name)
        parts += [f"### `harness {name}`", _fenced("text", f"$ harness {name} --help\n{command.get_help(context)}")]
        for part, below in command.commands.items() if isinstance(command, click.Group) else ():
            said = below.get_help(click.Context(below, parent=context, info_name=part))
            parts.append(_fenced("text", f"$ harness {name} {part} --help\n{said}"))
    return _joined(parts)


def hooks() -> str:
    """The exact signature of every hook and what it says, with the protocol of what it returns."""
    parts = []
    for hook in HOOKS:
        function = getattr(hookspecs, hook)
        returned = re.search(r"Iterable\[(\w+)", str(inspect.signature(function)))
        assert returned, hook
        signature = _signature(hookspecs, hook)
        parts += [f"### `{hook}`", f"{inspect.getdoc(function)}", _fenced("python", signature)]
        parts.append(_fenced("python", _source(returned[1])))
    return _joined(parts)


def handles() -> str:
    """What evaluators declare and get, and class evaluators return: their source, which is their documentation."""
    names = (
        *("MetricSpec", "CheckSpec", "Network", "Student", "Context", "Images", "Examples", "TracedNetwork"),
        *("ClassEntry", "Finding", "ClassComparison"),
    )
    return _joined([_fenced("python", _source(name)) for name in names])


def door() -> str:
    """Every name that plugins may import, module by module: `harness.api` and those below it."""
    names = sorted(each.stem for each in Path(api.__path__[0]).glob("*.py") if each.stem != "__init__")
    wings = [import_module(f"harness.api.{name}") for name in names]
    parts = ["#### `harness.api`", f"{_listed(api.__all__)}."]
    for wing in wings:
        rows = [(f"`{name}`", _summary(wing, name)) for name in wing.__all__]
        parts += [f"#### `{wing.__name__}`", inspect.getdoc(wing) or "", _rows(("name", "what it is"), rows)]
    return _joined(parts)


def assignment_keys() -> str:
    """Every key of an assignment file, table by table."""
    parts = ["### Top level", _table(rules.AssignmentFile, _ASSIGNMENT_PLACES)]
    for model, place in _ASSIGNMENT_PLACES.items():
        if model != "AssignmentFile":
            parts += [f"### {place}", *_about(getattr(rules, model), _ASSIGNMENT_PLACES)]
    return _joined(parts)


def evaluators() -> str:
    """Every evaluator that ships with the harness: what it does, provides and takes."""
    parts = []
    for name, evaluator in sorted(_plugins().evaluators.items()):
        kind = type(evaluator)
        parts += [f"### `{name}`", inspect.getdoc(import_module(kind.__module__)) or "", inspect.getdoc(kind) or ""]
        parts.append(_declared(evaluator))
        has_options = bool(evaluator.Options.model_fields)
        parts.append(_table(evaluator.Options, {}) if has_options else "It has no options.")
    return _joined(parts)


def _declared(evaluator: api.Evaluator[Any]) -> str:
    """Its metrics and checks in a sentence each."""
    known = Measures.of(evaluator.metrics, evaluator.checks)
    kinds = {"Metrics": known.metrics, "Checks": known.checks}
    return " ".join(f"{kind}: {_listed(names)}." for kind, names in kinds.items() if names)


def class_evaluators() -> str:
    """Every class evaluator that ships with the harness: what it does and takes."""
    parts = []
    for name, evaluator in sorted(_plugins().class_evaluators.items()):
        kind = type(evaluator)
        parts += [f"### `{name}`", inspect.getdoc(import_module(kind.__module__)) or "", inspect.getdoc(kind) or ""]
        parts.append(_table(evaluator.Options, {}))
    return _joined(parts)


def others() -> str:
    """Weights formats, kinds of data and writers: names and first sentences."""
    plugins = _plugins()
    kinds: list[tuple[str, Mapping[str, object]]] = [
        ("Weights formats", plugins.weight_formats),
        ("Kinds of data, for `[data.<name>] dataset`", plugins.datasets),
        ("Writers, for `harness leaderboard --format`", plugins.writers),
        ("Exporters, for `harness export --to`", plugins.exporters),
        ("Executors, for `harness grade --executor`", plugins.executors),
    ]
    parts = []
    for title, objects in kinds:
        rows = [(f"`{name}`", (inspect.getdoc(type(each)) or "").partition("\n")[0]) for name, each in objects.items()]
        parts += [f"### {title}", _rows(("name", "what it is"), rows)]
    return _joined(parts)


def submission_keys() -> str:
    """Every key of submission.toml."""
    places = {"Claims": "Claimed figures and curves", "Checkpoint": "A further weights file"}
    parts = [_table(settings.Settings, places)]
    models: tuple[type[BaseModel], ...] = (settings.Claims, api.Checkpoint)
    for model, place in zip(models, places.values(), strict=True):
        parts += [f"### {place}", inspect.getdoc(model) or "", _table(model, {})]
    return _joined(parts)


def result_keys() -> str:
    """Every key of the result JSON."""
    parts = []
    for model, (module, place) in _RESULT_PLACES.items():
        places = {each: where for each, (_, where) in _RESULT_PLACES.items()}
        parts += [f"### {place}", _table(getattr(module, model), places, defaults=False)]
    return _joined(parts)


def board_keys() -> str:
    """Every key of the leaderboard's JSON."""
    parts = []
    for model, (module, place) in _BOARD_PLACES.items():
        places = {each: where for each, (_, where) in _BOARD_PLACES.items()}
        parts += [f"### {place}", _table(getattr(module, model), places, defaults=False)]
    return _joined(parts)


def statuses() -> str:
    """The closed vocabulary of statuses, in everyone's words."""
    rows = [(f"`{status}`", describe_status(status)) for status in STATUSES]
    return _joined([_rows(("status", "meaning"), rows)])


def exit_codes() -> str:
    """How the program ends, as a table."""
    return _joined([_rows(("code", "meaning"), [(f"{code:d}", describe_exit(code)) for code in ExitCode])])


def shipped_assignments() -> str:
    """The assignments that come with the harness."""
    rows = []
    for name in assignment.shipped():
        loaded = assignment.load(name, _plugins(), needs_data=False).rules
        data = loaded.data["test"]
        rows.append((f"`{name}`", loaded.title, f"{data.id}{' (stand-in)' if data.stand_in else ''}"))
    return _joined([_rows(("id", "title", "graded on"), rows)])


def example_assignment() -> str:
    """The example file, which has to be a valid one."""
    path = DOCS / "example-assignment.toml"
    assignment.load(str(path), _plugins())
    return _joined([_fenced("toml", path.read_text(encoding="utf-8"))])


_ASSIGNMENT_PLACES = {
    "AssignmentFile": "Top level",
    "SubmissionRules": "`[submission]`",
    "DataRules": "`[data.<name>]`",
    "ImageRules": "`[images]`",
    "TeacherRules": "`[teacher]`",
    "Limits": "`[limits]`",
    "Rubric": "`[rubric]`",
    "PointRule": "`[[rubric.points]]`",
    "RankPoints": "`[[rubric.rank]]`",
    "ManualPoints": "`[[rubric.manual]]`",
    "LatePolicy": "`[rubric.late]`",
    "RankKey": "`[[ranking]]`",
    "BoardRules": "`[board]`",
}
_RESULT_PLACES: dict[str, tuple[ModuleType, str]] = {
    "Report": (results, "The document"),
    "AssignmentInfo": (results, "`assignment`"),
    "DataInfo": (results, "`assignment.data`"),
    "Environment": (results, "`environment`"),
    "Result": (results, "`results[]`"),
    "Metric": (api, "`results[].metrics.<name>`"),
    "Check": (api, "`results[].checks[]`"),
    "Curve": (api, "`results[].curves[]`"),
    "Series": (api, "`results[].curves[].series[]`"),
    "Table": (api, "`results[].tables[]`"),
    "Row": (api, "`results[].tables[].rows[]`"),
    "Verification": (networks, "`results[].network`"),
    "PointLine": (results, "`results[].points[]`"),
}


_BOARD_PLACES: dict[str, tuple[ModuleType, str]] = {
    "Board": (board, "The board"),
    "Standing": (board, "`standings[]`"),
    "Unranked": (board, "`unranked[]`"),
    "ScoreLine": (results, "`points[]` of a row"),
    "Overridden": (board, "`override` of a row"),
    "Baseline": (board, "`baselines[]`"),
    "Axes": (board, "`pareto`"),
    "Excused": (board, "`excused[]`"),
    "Person": (board, "`people[]` and `missing[]`"),
}


@cache
def _plugins() -> Plugins:
    """Our own plugins, whatever else is installed."""
    ours = distribution("compress-harness").entry_points.select(group="harness")
    return Plugins.of(*(import_module(each.value) for each in sorted(ours, key=lambda each: each.name)))


def _summary(module: ModuleType, name: str) -> str:
    """What a function or class says of itself; what an alias stands for."""
    thing = inspect.unwrap(getattr(module, name))
    if not inspect.isfunction(thing) and not inspect.isclass(thing):
        return f"`{thing}`"
    said = inspect.getdoc(thing)
    if not said or said.startswith(f"{name}("):  # a dataclass without a docstring
        raise LookupError(f"{module.__name__}.{name} is not explained")
    return said.partition("\n\n")[0]


def _about(model: type[BaseModel], places: Mapping[str, str]) -> Iterator[str]:
    """What the model says of itself, less the place it begins with, and its keys."""
    said = re.sub(r"^`\[.*?\]`: ", "", inspect.getdoc(model) or "")
    yield said[:1].upper() + said[1:]
    yield _table(model, places)


def _table(model: type[BaseModel], places: Mapping[str, str], *, defaults: bool = True) -> str:
    """Key, type, default and meaning of every field.

    Args:
        places: what the tables that other models describe are called; they become links.
    """
    schema = model.model_json_schema()
    said = meanings(model)
    rows = []
    for name, field in model.model_fields.items():
        if field.exclude:  # never in JSON
            continue
        default = "required" if field.is_required() else default_of(field.get_default(call_default_factory=True))
        if name not in said:
            raise LookupError(f"{model.__name__}.{name} is not explained: write a string below it")
        kind, meaning = type_of(schema["properties"][name], places), said[name]
        # An interval that does not exist is absent from its metric (`Report.to_json`); all else is null.
        null = " or null" if nullable(schema["properties"][name]) and model is not api.Metric else ""
        rows.append((f"`{name}`", kind, default, meaning) if defaults else (f"`{name}`", kind + null, meaning))
    headers = ("key", "type", "default", "meaning") if defaults else ("key", "type", "meaning")
    return _rows(headers, rows)


def _class(module: ModuleType, name: str) -> ast.ClassDef:
    tree = ast.parse(inspect.getsource(module))
    return next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)


def _source(name: str) -> str:
    """A class of `harness.api` as it is written where it is defined, decorators included."""
    module = sys.modules[getattr(api, name).__module__]
    node = _class(module, name)
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    return "\n".join(inspect.getsource(module).splitlines()[first - 1 : node.end_lineno])


def _signature(module: ModuleType, name: str) -> str:
    tree = ast.parse(inspect.getsource(module))
    node = next(each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == name)
    arguments = ast.unparse(node.args)
    assert node.returns is not None
    return f"@hookimpl\ndef {name}({arguments}) -> {ast.unparse(node.returns)}: ..."


def _rows(headers: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [headers, tuple("---" for _ in headers), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def _fenced(language: str, text: str) -> str:
    body = "\n".join(line.rstrip() for line in text.strip("\n").splitlines())
    return f"```{language}\n{body}\n```"


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(("", *parts)) + "\n\n"
