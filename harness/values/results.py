"""Define the outcome of grading: what `--json` prints and the store keeps, schema version 1."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, FiniteFloat

from harness.values.base import Moment, Value
from harness.values.curves import Curve, Table
from harness.values.evaluation import Correct
from harness.values.measures import Check, Metric
from harness.values.networks import Layer, Verification
from harness.vocabulary import DeviceName, Status

TimeSource = Literal["times", "platform", "submission.toml", "files"]
"""The instructor's table, the learning platform, the student, or the newest file outside a download."""


class DataInfo(Value):
    id: str
    """The `id` of `[data.test]`."""
    digest: str | None = None
    """Of the decoded images, their labels and their names; null where they were not read."""
    stand_in: bool
    """Synthetic data that only looks like the real thing: points earned on it mean nothing."""


class AssignmentInfo(Value):
    id: str
    """The assignment's `id`."""
    digest: str
    """Of the validated assignment, less what boards apply later, whatever its file's layout and comments."""
    data: DataInfo
    """The graded data."""


class Environment(Value):
    harness: str
    """Version of the harness."""
    python: str
    """Version of Python."""
    torch: str
    """Version of PyTorch."""
    torchinfo: str
    """Version of torchinfo."""
    sandbox: str
    """`bwrap` or `none`."""
    device: DeviceName = "cpu"
    """Where verified networks were measured; all others ran on the CPU."""
    threads: int = 1
    """Threads of one worker."""


class PointLine(Value):
    """Why so many points: one line of the rubric."""

    name: str
    """What the points are for."""
    points: Annotated[FiniteFloat, AfterValidator(lambda points: points + 0.0)]
    """Points given; a zero has no sign."""
    pending: FiniteFloat = 0
    """Points withheld until a person decides about a check that could not be made."""
    max_points: FiniteFloat
    """Points there were."""
    reason: str
    """Why."""


def pending_of(lines: Iterable[PointLine]) -> float:
    """Points of these lines that are withheld until a person decides."""
    return math.fsum(line.pending for line in lines)


class PointsPossible(Value):
    """The whole that a score is part of: what counts in it already, and what is still to come."""

    now: FiniteFloat
    """The most of what the score covers."""
    after_publication: FiniteFloat = 0
    """What private images decide."""
    by_rank: FiniteFloat = 0
    """What the place among all decides."""
    by_hand: FiniteFloat = 0
    """What a person has not given yet."""
    total: FiniteFloat
    """All of them, at most the rubric's cap."""

    def without(self, lines: Iterable[ScoreLine]) -> PointsPossible:
        """The same for a score that does not show these lines: they are still to come."""
        moved = {"after_publication": self.after_publication, "by_rank": self.by_rank, "by_hand": self.by_hand}
        now = self.now
        for line in lines:
            if line.kind in _TO_COME and not line.open:
                moved[_TO_COME[line.kind]] += line.max_points
                now -= line.max_points
        return PointsPossible(now=now, total=self.total, **moved)


class Result(Value):
    """One submission's outcome."""

    submission: str
    """Its id: the name of the folder, or of the file without its suffix."""
    status: Status
    """See [statuses](#statuses)."""
    reason: str | None
    """Why the status is not `graded`."""
    hint: str | None = None
    """What to do about it."""
    digest: str | None
    """Of the submission's files; None when they could not even be read."""
    score: FiniteFloat
    """Points that can be given automatically."""
    max_score: FiniteFloat
    """The most of them. Points by rank and by hand are not included."""
    points_possible: PointsPossible | None = None
    """The whole that the score is part of; null where no rules were at hand."""
    metrics: Mapping[str, Metric] = Field(default_factory=dict)
    """By name. A metric that could not be measured is absent."""
    checks: tuple[Check, ...] = ()
    """Requirements and their verdicts."""
    curves: tuple[Curve, ...] = ()
    """Measured curves."""
    tables: tuple[Table, ...] = ()
    """Networks side by side."""
    points: tuple[PointLine, ...] = ()
    """The rubric's lines."""
    predictions: tuple[int, ...] | None = None
    """The predicted class of each graded image, in the data set's order."""
    correct: Annotated[Correct | None, Field(exclude=True)] = None
    """Which of them are right. In the store only, never in JSON: it tells about labels."""
    confusion: tuple[tuple[int, ...], ...] | None = None
    """Public images by true class (row) and predicted class (column); null with more than 100 classes."""
    network: Verification | None = None
    """Whether it was measured as a graph of plain operators; null where no network was built."""
    layers: tuple[Layer, ...] = ()
    """torchinfo's leaf layers, the first 300: claims of the process that ran the submission."""
    nickname: str | None = None
    """From submission.toml."""
    members: tuple[str, ...] = ()
    """From submission.toml."""
    accounts: tuple[tuple[str, ...], ...] = ()
    """What the learning platform knows each of them by beside the id: student numbers, e-mail addresses."""
    submitted_at: Moment | None = None
    """When it was handed in; null where nobody says."""
    time_source: TimeSource | None = None
    """Who says when."""
    late_mark: bool | None = None
    """Whether the learning platform marks it as late; null where it marks nothing."""
    notes: tuple[str, ...] = ()
    """What the harness coped with while reading the submission."""
    printed: str = ""
    """What the submission's code printed, capped; for the instructor only."""
    seconds: float = Field(ge=0)
    """Wall-clock time it took to grade."""
    measured_at: Mapping[str, datetime] = Field(default_factory=dict)
    """When each evaluator measured it: what was measured before, and still holds, is not measured again."""

    @property
    def pending(self) -> float:
        """Points withheld until a person decides."""
        return pending_of(self.points)

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
    """The version of this format."""
    assignment: AssignmentInfo
    """What was graded against."""
    environment: Environment
    """What the results depend on beside their inputs."""
    results: tuple[Result, ...]
    """One per submission."""

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
    """When."""
    assignment: AssignmentInfo
    """What was graded against."""
    environment: Environment
    """What the result depends on beside its inputs."""
    result: Result
    """What came of it."""
    parts: str = ""
    """What each evaluator contributed, as `harness.values.measured.parts_from_json` reads it; empty in stores that an
    older harness wrote."""
    to_measure: tuple[str, ...] = ()
    """The assignment's evaluators for which nothing is kept that holds under its present rules."""


def compact(document: dict[str, Any]) -> str:
    """JSON on one line, in plain ASCII."""
    # ASCII only: control characters of a student's making reach no terminal, and no locale is too small for it.
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


LineKind = Literal["automatic", "rank", "manual", "cap", "late", "override"]


class ScoreLine(PointLine):
    """One line of a score. Lines that take points away are negative and have no `max_points`."""

    kind: LineKind
    """Where it comes from."""
    public: bool
    """Whether the class may see it: earned by the network, and nothing private decides it."""
    open: bool = False
    """Points by hand that nobody has given yet."""


_TO_COME: Mapping[LineKind, str] = {"automatic": "after_publication", "rank": "by_rank", "manual": "by_hand"}
