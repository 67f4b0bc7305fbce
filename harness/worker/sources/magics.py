"""What IPython's magics mean for a notebook's names: `%time x = 1`, `%run layers.py`, and nbconvert's calls of them."""

from __future__ import annotations

import ast
import re
import shlex
import warnings
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

TRANSPARENT = frozenset(
    {"time", "timeit", "capture", "prun", "memit", "python", "python3", "pypy", "wandb", "notify", "snakeviz"}
)
"""Cell magics below which stands Python that runs in the notebook."""
WRITING = frozenset({"writefile", "file"})
_RUNNING = frozenset({"time", "prun", "memit"})
_TAKING = frozenset({"run", "load"})
_LINE_MAGIC = re.compile(r"^%(\w+)\s*(.*)$")
_BLOCKS = ("body", "orelse", "finalbody")


def as_call(line: str) -> str:
    """One statement for the line of a magic: what it runs, the call that IPython makes of it, or `pass`."""
    found = _LINE_MAGIC.match(line)
    if found is None:
        return "pass"
    name, rest = found[1], found[2]
    if name in _RUNNING and _statements(rest):
        return rest
    return f"get_ipython().run_line_magic({name!r}, {rest!r})" if name in _TAKING else "pass"


def expanded(statements: Iterable[ast.stmt]) -> tuple[ast.stmt, ...]:
    """Statements with calls of line magics replaced by what they run, and `%run` by an import of all names."""
    found: list[ast.stmt] = []
    for each in statements:
        call = magic_call(each)
        if call is not None and len(call) == 2:
            found += _meant(each, *call)
            continue
        if isinstance(each, ast.If | ast.With | ast.Try):
            _expand_blocks(each)
        found.append(each)
    return tuple(found)


def magic_call(statement: ast.stmt) -> list[str] | None:
    """(name, line) or (name, line, cell) of `get_ipython().run_line_magic(…)` and its like."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython")), attr=method))):
            assert isinstance(statement.value, ast.Call)
            given = statement.value.args
        case _:
            return None
    texts = [each.value for each in given if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    expected = {"run_cell_magic": 3, "run_line_magic": 2, "magic": 1}.get(method)
    if len(texts) != len(given) or len(texts) != expected:
        return None
    if expected != 1:
        return texts
    name, _, line = texts[0].lstrip("%").partition(" ")
    return [name, line.strip()]


def arguments(line: str) -> list[str]:
    """The words of a magic's line, quotes taken off."""
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def run_path(statement: ast.stmt) -> str | None:
    """The file that a `%run` names, where the statement is one."""
    return getattr(statement, "_run_path", None)


def _expand_blocks(statement: ast.If | ast.With | ast.Try) -> None:
    parts: list[ast.AST] = [statement, *(statement.handlers if isinstance(statement, ast.Try) else [])]
    for part in parts:
        for name in _BLOCKS:
            inner = getattr(part, name, None)
            if inner:
                setattr(part, name, list(expanded(inner)))


def _meant(statement: ast.stmt, name: str, line: str) -> Iterator[ast.stmt]:
    if name in _RUNNING:
        for each in _statements(line):
            ast.increment_lineno(each, statement.lineno - 1)
            yield each
    elif name in _TAKING:
        words = [each for each in arguments(line) if not each.startswith("-")]
        taken = _import_of(words[0], statement) if words else None
        yield taken if taken is not None else ast.copy_location(ast.Pass(), statement)
    else:
        yield statement


def _import_of(path: str, at: ast.stmt) -> ast.ImportFrom | None:
    """`from .layers import *` for `layers.py`; relative, so that no installed module can be meant."""
    name = PurePosixPath(path.replace("\\", "/"))
    if "://" in path or name.suffix not in {"", ".py", ".ipynb"}:
        return None
    parts = list(name.parts)
    if name.is_absolute() or parts[0].startswith(("~", "$")):
        parts = parts[-1:]
    level = 1
    while parts and parts[0] == "..":
        level, parts = level + 1, parts[1:]
    if not parts:
        return None
    stem = PurePosixPath(parts[-1])
    parts[-1] = stem.stem if stem.suffix in {".py", ".ipynb"} else stem.name
    dotted = ".".join(part.replace(".", "_") for part in parts)
    taken = ast.ImportFrom(dotted, [ast.copy_location(ast.alias("*"), at)], level)
    taken._run_path = path  # type: ignore[attr-defined]  # noqa: SLF001 - an attribute of ours on Python's node
    return ast.copy_location(taken, at)


def _statements(text: str) -> list[ast.stmt]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
