"""Read `submission.toml`: what a student may say about a hand-in."""

from __future__ import annotations

import tomllib
from typing import Annotated, Any

from pydantic import AwareDatetime, ConfigDict, Field, FiniteFloat, ValidationError

from harness.errors import SubmissionError
from harness.text import encoding_of, suggestion
from harness.values.base import PositiveInt, Value
from harness.values.networks import Checkpoint

SETTINGS_FILE = "submission.toml"
_TEXT_LIMIT_CHARACTERS = 1 << 20

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
    submitted_at: AwareDatetime | None = None
    """When it was handed in; otherwise the newest file's time counts."""

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
    if len(data) > _TEXT_LIMIT_CHARACTERS:
        raise SubmissionError.rejected(f"{SETTINGS_FILE} is larger than {_TEXT_LIMIT_CHARACTERS:,} bytes")
    try:
        table = tomllib.loads(data.decode("utf-8-sig").replace("\r\n", "\n"))
    except UnicodeDecodeError as error:
        seems = f": it seems to be {name}" if (name := encoding_of(data)) else ""
        raise SubmissionError.rejected(f"{SETTINGS_FILE} is not UTF-8 text{seems}", "save it as UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise SubmissionError.rejected(f"{SETTINGS_FILE} is not valid TOML: {error}") from error
    try:
        return Settings.model_validate(table)
    except ValidationError as error:
        raise refusal([_mistake(each) for each in error.errors(include_url=False)]) from error


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
