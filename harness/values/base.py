"""Define the bases of values, and the vocabularies that many of them share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
)

from harness.values.meanings import explain

Verdict = Literal["passed", "failed", "could_not_check"]
Audience = Literal["student", "instructor"]


class Value(BaseModel):
    """Base of everything that crosses a boundary: immutable, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=explain)


class Options(BaseModel):
    """Base of a plugin's options, the table `[evaluators.<name>]` of an assignment."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=explain)


class MistakeAt(ValueError):
    """A mistake of several keys together, and the one of them where it is best mended.

    Args:
        where: dotted path below the value that is validated.
    """

    def __init__(self, where: str, what: str) -> None:
        self.where = where
        super().__init__(what)


YEARS = range(2000, 2101)
"""In which something can have been handed in: other dates stand for none, and arithmetic with them may fail."""


def believable(moment: datetime) -> datetime:
    """The moment, if something can have been handed in then."""
    # By the year as it is written: converting the last one to another zone may fail.
    if moment.year not in YEARS:
        raise ValueError(f"needs a year between {YEARS.start} and {YEARS.stop - 1}")
    return moment


Moment = Annotated[datetime, AfterValidator(believable)]
"""When something was handed in."""
PositiveInt = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
