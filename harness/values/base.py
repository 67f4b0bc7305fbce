"""Define the bases of values, and the vocabularies that many of them share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
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


PositiveInt = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
