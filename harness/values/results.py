"""The outcome of grading: what `--json` prints and the store keeps, schema version 1."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, FiniteFloat

from harness.values.base import Value
from harness.values.curves import Curve, Table
from harness.values.evaluation import Correct
from harness.values.measures import Check, Metric
from harness.values.networks import Layer
from harness.vocabulary import Status


def is_evidence(check: str) -> bool:
    """Whether a check is a finding for the instructor to talk about, not a verdict for students."""
    return check.startswith("integrity_")


class DataInfo(Value):
    id: str
    digest: str | None = None
    """Of the decoded images, their labels and their names; null where they were not read."""
    stand_in: bool
    """Synthetic data that only looks like the real thing: points earned on it mean nothing."""


class AssignmentInfo(Value):
    id: str
    digest: str
    """Of the validated assignment, less what boards apply later, whatever its file's layout and comments."""
    data: DataInfo


class Environment(Value):
    harness: str
    python: str
    torch: str
    torchinfo: str
    sandbox: str
    device: Literal["cpu"] = "cpu"
    threads: int = 1


class PointLine(Value):
    """Why so many points: one line of the rubric."""

    name: str
    points: FiniteFloat
    max_points: FiniteFloat
    reason: str


class Result(Value):
    """One submission's outcome."""

    submission: str
    status: Status
    reason: str | None
    hint: str | None = None
    digest: str | None
    """Of the submission's files; None when they could not even be read."""
    score: FiniteFloat
    max_score: FiniteFloat
    metrics: Mapping[str, Metric] = Field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    curves: tuple[Curve, ...] = ()
    tables: tuple[Table, ...] = ()
    points: tuple[PointLine, ...] = ()
    predictions: tuple[int, ...] | None = None
    """The predicted class of each graded image, in the data set's order."""
    correct: Annotated[Correct | None, Field(exclude=True)] = None
    """Which of them are right. In the store only, never in JSON: it tells about labels."""
    confusion: tuple[tuple[int, ...], ...] | None = None
    """Public images by true class (row) and predicted class (column); null with more than 100 classes."""
    layers: tuple[Layer, ...] = ()
    """torchinfo's leaf layers, the first 300: claims of the process that ran the submission."""
    nickname: str | None = None
    members: tuple[str, ...] = ()
    submitted_at: datetime | None = None
    notes: tuple[str, ...] = ()
    """What the harness coped with while reading the submission."""
    printed: str = ""
    """What the submission's code printed, capped; for the instructor only."""
    seconds: float = Field(ge=0)

    def to_json(self) -> str:
        """One compact JSON object, as it stands in `Report.to_json`."""
        return compact(self.to_document())

    def to_document(self) -> dict[str, Any]:
        """The same as plain Python. An interval that does not exist is absent from its metric."""
        document = self.model_dump(mode="json")
        for metric in document["metrics"].values():
            for end in ("low", "high"):
                if metric[end] is None:
                    del metric[end]
        return document


class Report(Value):
    """Results of one run, with what they depend on."""

    schema_version: Literal[1] = 1
    assignment: AssignmentInfo
    environment: Environment
    results: tuple[Result, ...]

    def to_json(self) -> str:
        """One compact JSON document in plain ASCII; `Report.model_validate_json` reads it back.

        An interval that does not exist is absent from its metric; everything else that is optional is null.
        """
        document = self.model_dump(mode="json", exclude={"results"})
        return compact({**document, "results": [result.to_document() for result in self.results]})


class Attempt(Value):
    """One grading of one submission, as the store keeps it: nothing is ever overwritten."""

    number: int
    """Grows with every attempt of a store."""
    graded_at: datetime
    assignment: AssignmentInfo
    environment: Environment
    result: Result


def compact(document: dict[str, Any]) -> str:
    """JSON on one line, in plain ASCII."""
    # ASCII only: control characters of a student's making reach no terminal, and no locale is too small for it.
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


LineKind = Literal["automatic", "rank", "manual", "cap", "late", "override"]


class ScoreLine(PointLine):
    """One line of a score. Lines that take points away are negative and have no `max_points`."""

    kind: LineKind
    public: bool
    """Whether the class may see it: earned by the network, and nothing private decides it."""
