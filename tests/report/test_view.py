"""One view, four formats: nothing more in any of them than the audience may see, and nothing that acts."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from result_fakes import VERIFIED, assignment, attempt, count, metric, result, submission_rules, unverified
from rich.console import Console

from harness.api import Audience, Check, Curve, Layer, Series
from harness.assignment.loading import metric_limits
from harness.board.builder import standings
from harness.plugins import Plugins
from harness.report.markdown import markdown
from harness.report.view import class_report, report
from harness.report.view import standing as standing_text
from harness.terminal.report import report_view
from harness.values.board import Entry
from harness.values.report import MetricLine, ReportView
from harness.values.results import PointLine, Result
from harness.values.rules import PointRule, Rubric
from harness.web import report_page

EVIL = "<script>alert(1)</script>\x1b[31m\u202eevil|`*\"'&"


def terminal(view: ReportView) -> str:
    paper = Console(width=200, highlight=False, markup=False, emoji=False, color_system=None)
    with paper.capture() as captured:
        paper.print(report_view(view))
    return captured.get()


FORMATS: dict[str, Callable[[ReportView], str]] = {
    "terminal": terminal,
    "markdown": markdown,
    "html": report_page,
    "json": ReportView.to_json,
}


def full(text: str = "plain", **changes: object) -> Result:
    """A result with `text` wherever a student could have put it."""
    fields: dict[str, object] = {
        "submission": text,
        "nickname": text,
        "members": (text, "王小明", "مريم"),
        "notes": (text,),
        "checks": (Check.failed("parameter_limit", text, text), Check.failed("integrity_scrub", "EVIDENCE", None)),
        "points": (PointLine(name="simple", points=1, max_points=2, reason=text),),
        "layers": (Layer(name=text, kind=text, output=(1, 2, 3), parameters=1234),),
        "curves": (
            Curve(
                name="pruning",
                x="parameters",
                y="accuracy",
                series=(Series(label=text, points=((100.0, 0.9), (50.0, 0.4)), low=(0.8, 0.3), high=(0.95, 0.5)),),
            ),
        ),
        "printed": "PRINTED",
        "confusion": ((5, 1), (2, 0)),
    }
    return result(**{**fields, **changes})  # type: ignore[arg-type]


def view(outcome: Result, audience: Audience = "student") -> ReportView:
    return report(attempt(outcome), assignment(), audience=audience, limits={"parameters": 900.0})


@pytest.mark.parametrize("name", FORMATS)
def test_everything_is_in_every_format(name: str) -> None:
    text = FORMATS[name](view(full()))
    shown = ["plain", "parameter_limit", "1.8.0", "bwrap", "digits"]
    if name != "json":
        shown += ["90.00 %", "89.00–91.00 %", "over 900", "1 × 2 × 3", "1,234", "below strong (95.00 %)"]
    for expected in shown:
        assert expected.replace("_", "\\_" if name == "markdown" else "_") in text.replace("&#39;", "'"), expected


@pytest.mark.parametrize("name", FORMATS)
def test_the_instructor_sees_more_and_it_is_marked(name: str) -> None:
    student, instructor = FORMATS[name](view(full())), FORMATS[name](view(full(), "instructor"))
    for secret in ("EVIDENCE", "PRINTED"):
        assert secret not in student
        assert secret in instructor
    if name != "json":
        assert "for the instructor" in instructor


@pytest.mark.parametrize("audience", ["student", "instructor"])
@pytest.mark.parametrize("name", FORMATS)
def test_no_text_of_a_student_acts(name: str, audience: Audience) -> None:
    text = FORMATS[name](view(full(EVIL), audience))
    assert "\x1b" not in text
    assert "\u202e" not in text
    if name in {"markdown", "html"}:
        assert "<script>alert" not in text
        assert "&lt;script&gt;" in text
        assert "مريم" in text
        assert "王小明" in text


@pytest.mark.parametrize("name", FORMATS)
def test_a_result_without_anything_has_a_report(name: str) -> None:
    bare = Result(
        submission="x", status="rejected", reason="nothing to read", digest=None, score=0, max_score=0, seconds=0
    )
    text = FORMATS[name](view(bare))
    assert "nothing to read" in text


def test_the_page_of_the_class_has_the_boards_name_only() -> None:
    outcome = full(submission="0123456", nickname="Rabbit", members=("Alice Liddell",))
    text = report_page(class_report(attempt(outcome), assignment(), name="Rabbit"))
    assert "Rabbit" in text
    assert "0123456" not in text.replace("sha256:0123456", "")
    assert "Alice" not in text


def test_limits_come_from_evaluators_and_points() -> None:
    class Sized:
        name = "sized"

        def limits(self, options: object) -> dict[str, float]:
            return {"stored_bytes": 300_000}

    rubric = Rubric(points=(PointRule(name="small", metric="parameters", at_most=60_000, points=1),))
    given = assignment(rubric=rubric)
    object.__setattr__(given, "options", {"sized": None, "other": None})
    plugins = Plugins({"sized": Sized(), "other": object()}, {}, {}, {}, {})  # type: ignore[dict-item]
    assert metric_limits(given, plugins) == {"parameters": 60_000, "stored_bytes": 300_000}


@pytest.mark.parametrize(
    ("line", "standing"),
    [
        (MetricLine(name="parameters", title="parameters", metric=count(100), limit=100), "within 100"),
        (MetricLine(name="parameters", title="parameters", metric=count(101), limit=100), "over 100"),
        (MetricLine(name="x", title="x", metric=count(1)), ""),
        (
            MetricLine(name="accuracy", title="accuracy", metric=metric(0.9), baselines={"a": 0.8, "b": 0.95}),
            "reaches a; below b (95.00 %)",
        ),
    ],
)
def test_what_a_metric_is_compared_with(line: MetricLine, standing: str) -> None:
    assert standing_text(line) == standing


def test_json_reads_back_as_a_report() -> None:
    document = json.loads(view(full()).to_json())
    assert document["schema_version"] == 1
    assert document["results"][0]["printed"] == ""


def entry_of(outcome: Result, **changes: object) -> Entry:
    entry = standings([attempt(outcome)], assignment(**changes)).entry(outcome.submission)
    assert entry is not None
    return entry


def test_no_sum_tells_a_student_about_private_points() -> None:
    rubric = {
        "points": [
            {"name": "simple", "baseline": "simple", "points": 3},
            {"name": "loss", "check": "kd_loss", "points": 2},
        ],
        "manual": [{"name": "demo", "points": 5}],
        "late": {"due": "2025-01-01T00:00:00+00:00", "percent_per_day": 1},
    }
    split = {"test": {"id": "digits", "dataset": "idx", "path": "data", "public_fraction": 0.5}}
    changes = {"rubric": rubric, "data": split, "ranking": [{"metric": "parameters", "higher_is_better": False}]}
    outcome = result(submitted_at=datetime(2025, 1, 3, 12, tzinfo=UTC))
    entry = entry_of(outcome, **changes)
    assert {line.name for line in entry.points} == {"simple", "loss", "demo", "lateness"}

    def lines(audience: Audience, *, published: bool = False) -> dict[str, float]:
        found = report(attempt(outcome), assignment(**changes), audience=audience, entry=entry, published=published)
        assert found.score == pytest.approx(sum(line.points for line in found.points))
        return {line.name: line.points for line in found.points}

    assert lines("student") == {"loss": 0, "demo": 0}
    # 3 days have begun: 3 % of 3 points.
    assert (
        lines("student", published=True)
        == lines("instructor")
        == {"simple": 3, "loss": 0, "demo": 0, "lateness": -0.09}
    )


PROSE = sorted(set(FORMATS) - {"json"})


@pytest.mark.parametrize("name", PROSE)
def test_a_verified_network_is_one_quiet_line(name: str) -> None:
    text = FORMATS[name](view(result(network=VERIFIED)))
    assert text.count("network: verified, 17 operators") == 1
    assert "○" not in text
    one = VERIFIED.model_copy(update={"operators": 1})
    assert "network: verified, 1 operator" in FORMATS[name](view(result(network=one)))
    assert "1 operators" not in FORMATS[name](view(result(network=one)))


@pytest.mark.parametrize("audience", ["student", "instructor"])
@pytest.mark.parametrize("name", PROSE)
def test_an_unverified_network_is_marked_with_the_reason(name: str, audience: Audience) -> None:
    text = FORMATS[name](view(result(network=unverified("it decides by values")), audience))
    assert text.count("○ its code ran on every image: not verified (it decides by values)") == 1


@pytest.mark.parametrize("audience", ["student", "instructor"])
@pytest.mark.parametrize("name", FORMATS)
def test_the_reason_does_not_act_and_only_the_instructor_sees_all_of_a_long_one(name: str, audience: Audience) -> None:
    text = FORMATS[name](view(result(network=unverified(f"{EVIL} {'long ' * 150}end")), audience))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert name not in {"markdown", "html"} or "<script>alert" not in text
    assert ("long end" in " ".join(text.split())) == (audience == "instructor")


@pytest.mark.parametrize("name", PROSE)
def test_the_class_reads_that_a_network_is_not_verified_and_not_why(name: str) -> None:
    shown = class_report(attempt(result(network=unverified("WHY"))), assignment(), name="Rabbit")
    assert "○ its code ran on every image: not verified" in FORMATS[name](shown)
    assert "WHY" not in FORMATS[name](shown)


@pytest.mark.parametrize("name", PROSE)
def test_there_is_no_mark_where_unverified_networks_are_accepted_or_were_never_run(name: str) -> None:
    accepting = assignment(submission=submission_rules("accept"))
    accepted = report(attempt(result(network=unverified("WHY"))), accepting, audience="student")
    assert "○" not in FORMATS[name](accepted)
    assert "network: not verified (WHY)" in FORMATS[name](accepted)
    crashed = result(network=unverified("WHY"), status="crashed", reason="ValueError")
    assert "○" not in FORMATS[name](view(crashed))


@pytest.mark.parametrize("name", PROSE)
def test_nothing_is_said_of_a_network_that_nothing_is_known_of(name: str) -> None:
    text = FORMATS[name](view(result()))
    assert "verified" not in text
    assert "network:" not in text


def test_json_tells_what_is_known_of_the_network() -> None:
    document = json.loads(view(result(network=unverified("WHY"))).to_json())
    assert document["results"][0]["network"] == {
        "verified": False,
        "reason": "WHY",
        "operator": "aten.nonzero.default",
        "digest": None,
        "operators": 0,
    }
    assert json.loads(view(result(network=VERIFIED)).to_json())["results"][0]["network"]["operators"] == 17
