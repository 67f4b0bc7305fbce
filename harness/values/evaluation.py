"""Define what one evaluator found out about one network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, Field, JsonValue

from harness.values.base import Value
from harness.values.curves import Curve, Table
from harness.values.measures import Check, Metric


class Correct(Value):
    """Which graded images were predicted right: one bit an image in the data set's order, as numpy.packbits packs them.

    It is the answer sheet in disguise: it stays with the instructor.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")

    public: bytes
    """Of the public images, which are all where the assignment does not split its data."""
    private: bytes = b""
    """Of the private images."""

    @property
    def everything(self) -> bytes:
        """Of all images; the last bits of either part may be padding, which is 0."""
        return self.public + self.private


class Evaluation(Value):
    """What one evaluator found out about one student.

    >>> found = Evaluation(checks=(Check.passed("parameter_limit", "23,530 of 100,000 parameters"),))
    >>> more = Evaluation(checks=(Check.could_not_check("claims", "submission.toml claims nothing"),))
    >>> [check.verdict for check in found.joined(more).checks]
    ['passed', 'could_not_check']
    """

    metrics: Mapping[str, Metric] = Field(default_factory=dict)
    """By name. One that could not be measured is absent."""
    evidence: Mapping[str, JsonValue] = Field(default_factory=dict)
    """What the evaluator's `judge` goes by beside the metrics. It is kept, and shown to nobody."""
    checks: tuple[Check, ...] = ()
    """Requirements and their verdicts."""
    curves: tuple[Curve, ...] = ()
    """Measured curves."""
    tables: tuple[Table, ...] = ()
    """Networks side by side."""
    notes: tuple[str, ...] = ()
    """What the student should know beside the verdicts."""
    predictions: tuple[int, ...] | None = None
    """The predicted class of each graded image, in the data set's order (accuracy only); their number for none."""
    correct: Correct | None = None
    """Only for the audience `instructor` (accuracy only)."""
    confusion: tuple[tuple[int, ...], ...] | None = None
    """Public images by true class (row) and predicted class (column); None with more than 100 classes."""

    @property
    def shown(self) -> dict[str, Any]:
        """What results carry of it; notes stand among others there."""
        return {name: value for name, value in self if name not in {"evidence", "notes"}}

    def joined(self, later: Evaluation) -> Evaluation:
        """Both together; of what there is only once, the later one's, if it has any. Evidence stays with each."""
        once = ("predictions", "correct", "confusion")
        told = {name: value for name in once if (value := getattr(later, name)) is not None}
        together = {
            "metrics": {**self.metrics, **later.metrics},
            "checks": self.checks + later.checks,
            "curves": self.curves + later.curves,
            "tables": self.tables + later.tables,
            "notes": self.notes + later.notes,
        }
        return self.model_copy(update=together | told)
