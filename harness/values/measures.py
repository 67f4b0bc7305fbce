"""Define metrics and checks: measured numbers, and requirements with their verdicts."""

from __future__ import annotations

from pydantic import (
    FiniteFloat,
)

from harness.values.base import Value, Verdict


class Metric(Value):
    """A measured number. One that could not be measured is absent, never 0 or NaN."""

    value: FiniteFloat | int
    """The number."""
    unit: str
    """`parameters`, `bytes`, `fraction`, …"""
    higher_is_better: bool
    """Its direction."""
    low: FiniteFloat | None = None
    """Lower end of the 95 % interval, in `unit`."""
    high: FiniteFloat | None = None
    """Upper end; both are absent where there is no interval."""


class Check(Value):
    """A requirement with its verdict, the reason for it, and a hint on what to do next."""

    name: str
    """Its name."""
    verdict: Verdict
    """See [verdicts](#verdicts)."""
    reason: str
    """Why."""
    hint: str | None = None
    """What to do next."""

    @classmethod
    def passed(cls, name: str, reason: str, hint: str | None = None) -> Check:
        return cls(name=name, verdict="passed", reason=reason, hint=hint)

    @classmethod
    def failed(cls, name: str, reason: str, hint: str | None = None) -> Check:
        return cls(name=name, verdict="failed", reason=reason, hint=hint)

    @classmethod
    def could_not_check(cls, name: str, reason: str, hint: str | None = None) -> Check:
        return cls(name=name, verdict="could_not_check", reason=reason, hint=hint)
