"""Read `submission.toml`: what a student may say about a hand-in."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator
from datetime import date, time
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, FiniteFloat, ValidationError

from harness.errors import SubmissionError
from harness.text import encoding_of, suggestion
from harness.values.base import PositiveInt, Value, believable
from harness.values.networks import Checkpoint

SETTINGS_FILE = "submission.toml"
_LIMIT_BYTES = 1 << 16
_LIMIT_LINE_DOTS = 64
"""Tables of tables: reading them takes the square of the number."""
_INTEGERS = range(-(2**63), 2**63)

Name = Annotated[str, Field(min_length=1, max_length=200)]


Point = tuple[FiniteFloat, FiniteFloat]


class Claims(Value):
    """`[claims]`: figures by the name of the metric, and curves by the name of the curve."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, Annotated[FiniteFloat, Field(strict=True)]]

    curves: dict[str, Annotated[tuple[Point, ...], Field(min_length=1, max_length=1000)]] = Field(default_factory=dict)
    """Points [x, y] in the measured curve's own units, usually [parameters, accuracy]."""

    @property
    def figures(self) -> dict[str, float]:
        """Metric -> what is claimed of it."""
        return dict(self.__pydantic_extra__)


class Settings(Value):
    """The content of `submission.toml`; every key is optional, none beyond these is known."""

    nickname: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    """Stands for the submission on the class's board."""
    members: tuple[Name, ...] = ()
    """Who worked on it."""
    entry_point: Name | None = None
    """The class or function that makes the network, as `name` or `file.py:name`."""
    kd_function: Name | None = None
    """The KD loss, as `name` or `file.py:name`."""
    weights: Name | None = None
    """The weights file, relative to submission.toml."""
    model_arguments: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments for the entry point."""
    input_size: Annotated[PositiveInt, Field(strict=True)] | None = None
    """One of the assignment's `input_sizes`."""
    checkpoints: dict[Name, Annotated[tuple[Checkpoint, ...], Field(max_length=50)]] = Field(
        default_factory=dict, max_length=20
    )
    """Further weights files for measured curves: series label -> files, or tables with `file` and what differs."""
    methods: dict[Name, Checkpoint] = Field(default_factory=dict, max_length=20)
    """Networks to compare with the teacher: what they are called -> the file, or a table likewise."""
    teacher: Checkpoint | None = None
    """The large network, where the assignment brings none: its file, or a table likewise."""
    claims: Claims = Field(default_factory=lambda: Claims.model_validate({}))
    """What is stated of the network, for the check `claims`. Keys beside `curves` name metrics."""
    submitted_at: Annotated[AwareDatetime, AfterValidator(believable)] | None = None
    """When it was handed in, where no learning platform says it; otherwise the newest file's time counts."""

    def further_files(self) -> dict[str, str]:
        """Key -> file of every weights file beside the one that is graded."""
        named = {f"methods.{label}": each.file for label, each in self.methods.items()}
        for label, points in self.checkpoints.items():
            named |= {f"checkpoints.{label}.{index}": each.file for index, each in enumerate(points)}
        return named | ({"teacher": self.teacher.file} if self.teacher else {})


def parse_settings(data: bytes) -> Settings:
    """Settings from the bytes of a `submission.toml`.

    Raises:
        SubmissionError: not TOML, or with mistakes; all of them are listed.
    """
    if len(data) > _LIMIT_BYTES:
        raise SubmissionError.rejected(f"{SETTINGS_FILE} is larger than {_LIMIT_BYTES:,} bytes")
    if any(line.split(b"=")[0].count(b".") > _LIMIT_LINE_DOTS for line in data.splitlines()):
        raise SubmissionError.rejected(f"{SETTINGS_FILE}: a key has more than {_LIMIT_LINE_DOTS} dots")
    try:
        table = tomllib.loads(data.decode("utf-8-sig").replace("\r\n", "\n"))
    except UnicodeDecodeError as error:
        seems = f": it seems to be {name}" if (name := encoding_of(data)) else ""
        raise SubmissionError.rejected(f"{SETTINGS_FILE} is not UTF-8 text{seems}", "save it as UTF-8") from error
    except RecursionError as error:
        raise SubmissionError.rejected(f"{SETTINGS_FILE} is not valid TOML: it is nested too deeply") from error
    except ValueError as error:
        raise SubmissionError.rejected(f"{SETTINGS_FILE} is not valid TOML: {error}") from error
    mistakes = [f"{where}: {what}" for where, what in _no_json({**table, "submitted_at": None})]
    if mistakes:
        raise refusal(mistakes)
    try:
        return Settings.model_validate(table)
    except ValidationError as error:
        raise refusal([_mistake(each) for each in error.errors(include_url=False)]) from error


def _no_json(value: object, where: str = "") -> Iterator[tuple[str, str]]:
    """(where, what) of values that TOML can write and JSON, in which results are kept, cannot."""
    match value:
        case dict():
            for name, each in value.items():
                yield from _no_json(each, f"{where}.{name}" if where else name)
        case list():
            for index, each in enumerate(value):
                yield from _no_json(each, f"{where}.{index}")
        case date() | time():
            yield where, "a date or time cannot be used here; write it as a text, in quotes"
        case float() if not math.isfinite(value):
            yield where, "needs a finite number"
        case int() if value not in _INTEGERS:
            yield where, "a whole number this large cannot be used; at most 64 bits"


def refusal(mistakes: list[str]) -> SubmissionError:
    """One refusal for all mistakes in submission.toml."""
    count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    return SubmissionError.rejected(
        "\n".join([f"{SETTINGS_FILE}: {count}", *(f"  {each}" for each in mistakes)]),
        f"correct {SETTINGS_FILE}; it may hold {', '.join(Settings.model_fields)}",
    )


def _mistake(error: Any) -> str:
    where = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        known = Checkpoint.model_fields if error["loc"][1:] else Settings.model_fields
        return f"{where}: unknown key{suggestion(str(error['loc'][-1]), known)}"
    if error["type"] == "timezone_aware":
        return f"{where}: needs a time zone, such as 2026-05-01T23:59:00+08:00"
    return f"{where}: {error['msg'][:1].lower()}{error['msg'][1:]}"
