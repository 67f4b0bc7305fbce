"""Make boards without grading anything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.assignment.loading import Assignment
from harness.board.builder import standings
from harness.testing.grading import shipped_and
from harness.values.board import Board
from harness.values.measures import Metric
from harness.values.results import AssignmentInfo, Attempt, DataInfo, Environment, PointLine, Result
from harness.values.rules import AssignmentFile

_INFO = AssignmentInfo(id="tiny", digest="sha256:tiny", data=DataInfo(id="noise", stand_in=False))
_ENVIRONMENT = Environment(harness="", python="", torch="", torchinfo="", sandbox="none")
_CLASS = {"alice": (0.9, 1200), "bob": (0.8, 900), "=cmd|' /C calc'!A0": (0.7, 1000)}
"""Names are students' own; one of them is a formula to a spreadsheet."""


def board(results: Sequence[Result]) -> Board:
    """See `harness.testing.board_of`."""
    class_ = results or [*(_graded(name, *figures) for name, figures in _CLASS.items()), _crashed("dave")]
    at = datetime(2026, 1, 2, tzinfo=UTC)
    attempts = [
        Attempt(number=number, graded_at=at, assignment=_INFO, environment=_ENVIRONMENT, result=result)
        for number, result in enumerate(class_, start=1)
    ]
    return standings(attempts, _assignment())


def _assignment() -> Assignment:
    tables: dict[str, Any] = {
        "id": _INFO.id,
        "title": "Tiny",
        "submission": {"entry_points": ["StudentNet"], "input_sizes": [8]},
        "data": {"test": {"id": _INFO.data.id, "dataset": "idx", "path": "data"}},
        "images": {"classes": 4, "resize": "none", "mean": [0.5] * 3, "std": [0.5] * 3},
        "baselines": {"simple": 0.75},
        "evaluators": {"accuracy": {}, "parameter_limit": {}},
        "rubric": {"points": [{"name": "simple", "baseline": "simple", "points": 5}]},
        "ranking": [{"metric": "accuracy", "higher_is_better": True}],
    }
    rules = AssignmentFile.model_validate_json(json.dumps(tables))
    measures = shipped_and().measures(tables["evaluators"])
    return Assignment(rules, {}, {"test": Path("data")}, _INFO.digest, Path("tiny.toml"), measures=measures)


def _graded(name: str, accuracy: float, parameters: int) -> Result:
    points = 5.0 if accuracy >= 0.75 else 0.0
    return Result(
        submission=name,
        status="graded",
        reason=None,
        digest=f"sha256:{name}",
        score=points,
        max_score=5,
        metrics={
            "accuracy": Metric(value=accuracy, unit="fraction", higher_is_better=True),
            "parameters": Metric(value=parameters, unit="parameters", higher_is_better=False),
        },
        points=(PointLine(name="simple", points=points, max_points=5, reason=f"accuracy {accuracy}"),),
        seconds=1,
    )


def _crashed(name: str) -> Result:
    return Result(submission=name, status="crashed", reason="ValueError", digest=None, score=0, max_score=5, seconds=1)
