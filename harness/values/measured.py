"""Define what is remembered of measuring: each evaluator's part of a result, and what it depended on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import Field, JsonValue, TypeAdapter

from harness.values.base import Value
from harness.values.evaluation import Evaluation
from harness.values.measures import Check


class Measured(Value):
    """One evaluator's part of an attempt, less the numbers, which the result has."""

    key: str
    """Of all that decides what it found: under this the store keeps the evaluation."""
    how: str
    """Of what the assignment says about measuring it, which is less: not the network, the images, the version."""
    at: datetime
    """When it was measured; earlier than the attempt where it was measured before."""
    metrics: tuple[str, ...] = ()
    """The names of its metrics in the result."""
    curves: tuple[str, ...] = ()
    """The names of its curves in the result."""
    tables: tuple[str, ...] = ()
    """The titles of its tables in the result."""
    notes: tuple[str, ...] = ()
    """Its notes in the result."""
    checks: tuple[Check, ...] = ()
    """Those that it made while it measured; those that it judges by what was measured are made anew every time."""
    evidence: Mapping[str, JsonValue] = Field(default_factory=dict)
    """What it judges by beside the metrics."""

    @classmethod
    def of(cls, evaluation: Evaluation, *, key: str, how: str, at: datetime) -> Measured:
        """What is remembered of an evaluation."""
        return cls(
            key=key,
            how=how,
            at=at,
            metrics=tuple(evaluation.metrics),
            curves=tuple(curve.name for curve in evaluation.curves),
            tables=tuple(table.name for table in evaluation.tables),
            notes=evaluation.notes,
            checks=evaluation.checks,
            evidence=evaluation.evidence,
        )


_PARTS = TypeAdapter(dict[str, Measured])


def parts_to_json(parts: Mapping[str, Measured]) -> str:
    """All parts of an attempt, by evaluator."""
    return _PARTS.dump_json(dict(parts)).decode()


def parts_from_json(text: str) -> dict[str, Measured]:
    """What `parts_to_json` wrote."""
    return _PARTS.validate_json(text)
