"""Say which plugin failed, in which of its functions, at which line, and what to do next."""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from harness.errors import HarnessError, PluginError, of_machine
from harness.plugins.kinds import Kind

Wanted = TypeVar("Wanted")
_MESSAGE_CHARACTERS = 500
_SOURCE_CHARACTERS = 120


@contextmanager
def blaming(kind: Kind, item: Any, method: str) -> Iterator[None]:
    """Name the plugin whose `method` raises within; what the harness raises on purpose passes, and so does what is the
    machine's.

    Raises:
        PluginError: naming the object, its module, the method, the line, and how to do without it.
    """
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:
        if of_machine(error) is not None:
            raise
        said = said_at(error, package_of(item))
        raise PluginError(f"{called(kind, item)}: {method}() raised {said}; {_cure(kind, item)}") from error


def expect(kind: Kind, item: Any, method: str, returned: object, wanted: type[Wanted], *, advice: str = "") -> Wanted:
    """What a plugin's method returned, as the type that it has to be.

    Raises:
        PluginError: it is something else.
    """
    if isinstance(returned, wanted):
        return returned
    what = "None" if returned is None else f"a {type(returned).__name__}"
    raise broken(kind, item, f"{method}() returned {what}, no {wanted.__name__}{advice}")


def expect_files(kind: Kind, item: Any, method: str, returned: object) -> dict[str, str]:
    """File name -> text, as writers and exporters return it.

    Raises:
        PluginError: it is something else.
    """
    files = expect(kind, item, method, returned, dict, advice=' of file names and texts, such as {"board.txt": text}')
    for name, text in files.items():
        if not isinstance(name, str) or not isinstance(text, str):
            pair = f"{type(name).__name__} and {type(text).__name__}"
            raise broken(kind, item, f"{method}() returned a dict with {pair} in it, not file names and texts")
    return files


def broken(kind: Kind, item: Any, what: str) -> PluginError:
    """An object does not do what its kind has to: where, what, and what next."""
    return PluginError(f"{called(kind, item)}: {what}; {_cure(kind, item)}")


def called(kind: Kind, item: Any) -> str:
    """'evaluator 'smoothness' (plugin harness_smoothness)'."""
    return f"{kind.words} {item.name!r} (plugin {type(item).__module__})"


def package_of(item: Any) -> str:
    """The top-level package or module that an object's class comes from."""
    return type(item).__module__.partition(".")[0]


def raised_by(error: BaseException, package: str) -> bool:
    """Whether it was a line of that package itself that raised, and none of a library that it calls."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(frames) and _package_of_frame(frames[-1]) == package


def said_at(error: BaseException, package: str) -> str:
    """'ValueError: too few at harness_mine.py line 12: `x = y`', by the innermost line of that package."""
    text = " ".join(str(error).split())[:_MESSAGE_CHARACTERS]
    said = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        return f"{type(error).__name__}: {error.msg} at {Path(error.filename).name} line {error.lineno}"
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if _package_of_frame(frame) == package:
            source = linecache.getline(frame.f_code.co_filename, line).strip()[:_SOURCE_CHARACTERS]
            return f"{said} at {Path(frame.f_code.co_filename).name} line {line}" + (f": `{source}`" if source else "")
    return said


def _package_of_frame(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def line_of(function: Any) -> str:
    """' (harness_mine.py line 12)' of a function; empty where it has no line."""
    code = getattr(function, "__code__", None)
    return f" ({Path(code.co_filename).name} line {code.co_firstlineno})" if code is not None else ""


def listed(words: Sequence[str]) -> str:
    """'a, b and c'."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _cure(kind: Kind, item: Any) -> str:
    return f"mend the plugin, or {kind.without.format(name=item.name)}"
