"""Put what a student's code raised into words: which line of theirs, and what it said."""

from __future__ import annotations

import errno
import linecache
import re
import traceback
from pathlib import Path

from harness.errors import SubmissionError

_MESSAGE_CHARACTERS = 500
_NO_MEMORY = ("not enough memory", "alloc_cpu", "Cannot allocate memory")
_CHANNELS = re.compile(
    r"expected input\[(?P<shape>[\d, ]+)\] to have (?P<takes>\d+) channels, but got (?P<got>\d+) channels"
)


def failure(error: BaseException, input_shape: tuple[int, ...] | None = None) -> SubmissionError:
    """The error as an outcome; a SubmissionError stays what it is.

    Args:
        input_shape: [channels, height, width] of what the network is given, where there is one.
    """
    if isinstance(error, SubmissionError):
        return error
    said = describe(error)
    if is_out_of_memory(error):
        return SubmissionError("out_of_memory", f"memory ran out: {said}")
    return SubmissionError("crashed", said, _advice(error, input_shape))


def describe(error: BaseException) -> str:
    """One line: the exception, its message, and the innermost line of the student's own code."""
    message = _text(error)
    line = _student_line(error)
    name = type(error).__name__
    return f"{name}: {message}{line}" if message else f"{name}{line}"


def _advice(error: BaseException, input_shape: tuple[int, ...] | None) -> str | None:
    """What to change about the commonest mistakes."""
    text = _text(error)
    if isinstance(error, FileNotFoundError):
        return "the harness loads the weights itself; code sees what was handed in beside them as 'harness show' says"
    if isinstance(error, PermissionError):
        return "while it is graded, code may read its own files only: no writing, no network, no other programs"
    if found := _CHANNELS.search(text):
        return _advice_on_channels(error, found, input_shape)
    if "shapes cannot be multiplied" in text:
        return "a linear layer expects another number of inputs: was the network made for another image size?"
    return None


def _advice_on_channels(error: BaseException, found: re.Match[str], input_shape: tuple[int, ...] | None) -> str:
    shape, got, takes = tuple(map(int, found["shape"].split(","))), found["got"], found["takes"]
    if shape[-3:] != input_shape or len(shape) not in {3, 4}:
        return f"two layers do not fit: one takes {takes} channels, and what comes before it gives {got}"
    if _met_the_images(error):
        return f"images come with {got} channels: the first layer must take {got}, not {takes}"
    return f"a layer takes {takes} channels and gets {got}, which is also how many channels images have"


def _met_the_images(error: BaseException) -> bool:
    """Whether the layer that failed was given the very tensor that the network was given."""
    frames = [frame.f_locals for frame, _ in traceback.walk_tb(error.__traceback__)]
    calls = [each["args"][0] for each in frames if isinstance(each.get("args"), tuple) and each["args"]]
    networks = [each for each in calls if hasattr(each, "shape")]
    layers = [each["input"] for each in frames if "input" in each]
    return bool(networks and layers) and networks[0] is layers[-1]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed; torch says so in a RuntimeError, mmap in an OSError.

    Also when the student's code raised something else because of it (`raise … from error`).
    """
    if error.__cause__ is not None and is_out_of_memory(error.__cause__):
        return True
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return isinstance(error, RuntimeError) and any(said in _text(error) for said in _NO_MEMORY)


def _text(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a student's __str__ may do anything
        return "(its message cannot be shown)"
    first = " ".join(text.split())
    return first[:_MESSAGE_CHARACTERS]


def _student_line(error: BaseException) -> str:
    """' at model.py line 12: `x = y`', for the innermost frame outside Python, torch and the harness."""
    for frame, number in reversed(list(traceback.walk_tb(error.__traceback__))):
        name = frame.f_code.co_filename
        if _is_students(name) and not _is_plugins(frame.f_globals.get("__name__")):
            source = linecache.getline(name, number).strip()
            return f" at {_called(Path(name))} line {number}" + (f": `{source[:120]}`" if source else "")
    return ""


def _called(file: Path) -> str:
    """A kernel compiles each cell under a number of its own, which says nothing to anyone."""
    return "this notebook's cell" if file.parent.name.startswith("ipykernel_") else file.name


def _is_plugins(module: object) -> bool:
    """Whether a plugin's worker half goes by that name; where it is developed, it lies in the current folder."""
    return type(module) is str and module.startswith("harness_")


def _is_students(name: str) -> bool:
    if name.startswith("<frozen"):
        return False
    path = Path(name)
    if not path.is_absolute() or path.parent.name.startswith("ipykernel_"):  # a cell of Jupyter
        return True
    folders = {"site-packages", "dist-packages", "harness"}
    return path.is_relative_to(Path.cwd()) and not folders & set(path.relative_to(Path.cwd()).parts)
