"""Results, attempts and assignments for tests that grade nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.api import Check, Curve, Metric, Series
from harness.assignment.loading import Assignment
from harness.plugins import Plugins
from harness.values.networks import Verification
from harness.values.results import AssignmentInfo, Attempt, DataInfo, Environment, PointLine, Result
from harness.values.rules import AssignmentFile, PointRule, RankKey, Rubric

ENVIRONMENT = Environment(harness="0.1.0", python="3.11.7", torch="2.9.0", torchinfo="1.8.0", sandbox="bwrap")
INFO = AssignmentInfo(id="hw", digest="sha256:one", data=DataInfo(id="digits", stand_in=False))
EVALUATORS = ("parameter_limit", "model_size", "kd_loss", "accuracy", "claims", "integrity")
MEASURES = Plugins.installed().measures(EVALUATORS)
RANKING = (
    RankKey(metric="accuracy", higher_is_better=True),
    RankKey(metric="parameters", higher_is_better=False),
)
VERIFIED = Verification(verified=True, digest="sha256:graph", operators=17)


def rules(**changes: Any) -> AssignmentFile:
    document: dict[str, Any] = {
        "id": "hw",
        "title": "Homework",
        "submission": {"entry_points": ["Net"], "input_sizes": [28]},
        "data": {"test": {"id": "digits", "dataset": "idx", "path": "data"}},
        "images": {"classes": 10, "resize": "none", "mean": [0, 0, 0], "std": [1, 1, 1]},
        "baselines": {"simple": 0.8, "strong": 0.95},
        "evaluators": {"accuracy": {}},
        "rubric": Rubric(
            gates=("parameter_limit",),
            points=(
                PointRule(name="simple", baseline="simple", points=3),
                PointRule(name="loss", check="kd_loss", points=2),
            ),
        ),
        "ranking": RANKING,
    }
    return AssignmentFile.model_validate({**document, **changes})


def assignment(digest: str = "sha256:one", **changes: Any) -> Assignment:
    paths = {"test": Path("data")}
    return Assignment(rules(**changes), {}, paths, digest, Path("hw.toml"), measures=MEASURES)


def metric(value: float, **changes: Any) -> Metric:
    return Metric(**{"value": value, "unit": "fraction", "higher_is_better": True, **changes})


def count(value: int, unit: str = "parameters") -> Metric:
    return Metric(value=value, unit=unit, higher_is_better=False)


def result(submission: str = "alice", accuracy: float | None = 0.9, parameters: int = 1000, **changes: Any) -> Result:
    metrics = {"parameters": count(parameters), "stored_bytes": count(4 * parameters, "bytes")}
    if accuracy is not None:
        metrics["accuracy"] = metric(accuracy, low=accuracy - 0.01, high=accuracy + 0.01)
    fields: dict[str, Any] = {
        "submission": submission,
        "status": "graded",
        "reason": None,
        "digest": f"sha256:{submission}",
        "score": 3.0,
        "max_score": 5.0,
        "metrics": metrics,
        "checks": (
            Check.passed("parameter_limit", f"{parameters:,} of at most 100,000 parameters"),
            Check.failed("kd_loss", "the soft half is 16 times too small", "multiply the soft term by T²"),
        ),
        "points": (
            PointLine(name="simple", points=3, max_points=3, reason="accuracy 0.9 reaches 0.8"),
            PointLine(name="loss", points=0, max_points=2, reason="kd_loss: failed"),
        ),
        "curves": (
            Curve(name="pruning", x="parameters", y="accuracy", series=(Series(label="L1", points=((1.0, 0.5),)),)),
        ),
        "predictions": (1, 2, 3),
        "seconds": 1.5,
    }
    return Result.model_validate({**fields, **changes})


def unverified(reason: str = "aten.nonzero.default, net.py:7: its shape depends on values") -> Verification:
    return Verification(verified=False, reason=reason, operator="aten.nonzero.default")


def submission_rules(unverified: str) -> dict[str, Any]:
    """`[submission]` with this for networks that are not verified."""
    return {"entry_points": ["Net"], "input_sizes": [28], "unverified": unverified}


def attempt(outcome: Result, number: int = 1, info: AssignmentInfo = INFO) -> Attempt:
    moment = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    return Attempt(number=number, graded_at=moment, assignment=info, environment=ENVIRONMENT, result=outcome)


def attempts(*outcomes: Result) -> list[Attempt]:
    return [attempt(outcome, number) for number, outcome in enumerate(outcomes, start=1)]
