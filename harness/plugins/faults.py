"""Say which plugin failed, in which of its functions, at which line, and what to do next."""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic.errors import PydanticErrorMixin

from harness.errors import HarnessError, PluginError, of_machine
from harness.plugins.kinds import Kind

Wanted = TypeVar("Wanted")
PASSING = (HarnessError, KeyboardInterrupt, GeneratorExit)
"""What a plugin's code may let through; whatever else it raises is its own fault."""
_MESSAGE_CHARACTERS = 500
_SOURCE_CHARACTERS = 120


@contextmanager
def blaming(kind: Kind, item: Any, method: str) -> Iterator[None]:
    """Name the plugin whose `method` raises within, be it `sys.exit`: a plugin never ends the harness. What the harness
    raises on purpose passes, and so do Ctrl-C and what is the machine's.

    Raises:
        PluginError: naming the object, its module, the method, the line, and how to do without it.
    """
    try:
        yield
    except PASSING:
        raise
    except BaseException as error:
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
    text = " ".join(_text_of(error).split())[:_MESSAGE_CHARACTERS]
    said = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        return f"{type(error).__name__}: {error.msg} at {Path(error.filename).name} line {error.lineno}"
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if _package_of_frame(frame) == package:
            source = linecache.getline(frame.f_code.co_filename, line).strip()[:_SOURCE_CHARACTERS]
            return f"{said} at {Path(frame.f_code.co_filename).name} line {line}" + (f": `{source}`" if source else "")
    return said


def _text_of(error: BaseException) -> str:
    """Of pydantic's own, what is wrong where, without the links that belong into no message."""
    if isinstance(error, PydanticErrorMixin):
        return error.message
    if not isinstance(error, ValidationError):
        return str(error)
    # Where one of several types is allowed, there is a mistake for each of them, often in the same words.
    mistakes = {each["msg"]: each for each in reversed(error.errors(include_url=False, include_context=False))}
    return f"{error.title}: " + "; ".join(
        f"{'.'.join(map(str, each['loc']))}: {message}, not {repr(each['input'])[:_SOURCE_CHARACTERS]}"
        for message, each in reversed(mistakes.items())
    )


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
