"""What is allowed and probably not meant is told, and files that are meant as they are give no doubt."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.assignment.doubts import doubts
from harness.assignment.loading import load, shipped
from harness.plugins import Plugins

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PLUGINS = Plugins.installed()
HW = "nycu-ds2023-hw2"


def found(text: str, tmp_path: Path) -> list[tuple[str, str]]:
    file = tmp_path / "hw.toml"
    file.write_text(text, encoding="utf-8")
    assignment = load(str(file), PLUGINS, needs_data=False)
    return [(each.where, each.what) for each in doubts(assignment, PLUGINS, NOW)]


@pytest.mark.parametrize("name", sorted(shipped()))
def test_the_shipped_assignments_are_beyond_doubt(name: str) -> None:
    assert doubts(load(name, PLUGINS, needs_data=False), PLUGINS, NOW) == []


@pytest.mark.parametrize(
    ("old", "new", "where", "what"),
    [
        (
            "baseline = 0.8389",
            "baseline = 0.8389\nstrong = 0.7",
            "baselines.strong",
            "0.7 is no higher than 'baseline'",
        ),
        ("baseline = 0.8389", "baseline = 0.8389\nstrong = 0.9", "baselines.strong", "no [[rubric.points]] gives"),
        ("limit = 100_000", "limit = 9", "evaluators.parameter_limit", "10 classes need one each"),
        ("[limits]", "[limits]\ntensor_bytes = 100_000", "limits.tensor_bytes", "take 400,000 in float32"),
        ("[limits]", "[limits]\ntotal_seconds = 10", "limits.build_seconds", "20 s are more than total_seconds, 10 s"),
        ('"accuracy_baseline"]', '"accuracy_baseline", "integrity_counts"]', "rubric.gates.2", "is evidence"),
        ("points = 45", "points = 0", "rubric.points.0.points", "0 points"),
        ("mean = [0.5, 0.5, 0.5]", "mean = [123.7, 116.3, 103.5]", "images.mean", "divide these by 255"),
        ("entry_points = [", 'entry_points = ["Net()", ', "submission.entry_points.0", "write its name alone"),
        ("higher_is_better = false", "higher_is_better = true", "ranking.1.higher_is_better", "ranks the worst first"),
        ("points = 20", "points = 0", "rubric.manual.0.points", "0 points"),
        ('name = "report"', 'name = "private rank"', "rubric.manual.0.name", "2 lines are called 'private rank'"),
        ("[rubric]", '[board]\npareto = "accuracy"\n[rubric]', "board.pareto", "against itself"),
        ("[limits]", "[limits]\nsubmission_bytes = 200", "limits.submission_bytes", "are these megabytes?"),
        (
            "[evaluators.model_size]",
            "[evaluators.model_size]\nlimit_bytes = 300",
            "evaluators.model_size",
            "kilobytes?",
        ),
        ('metric = "accuracy"', 'metric = "accuracy_private"', "ranking.0.metric", "is never measured"),
        (
            "[[rubric.rank]]",
            '[[rubric.points]]\nname = "x"\npoints = 1\nmetric = "accuracy"\nat_most = 0.5\n[[rubric.rank]]',
            "rubric.points.1.at_most",
            "at_least may be meant",
        ),
        (
            "[[ranking]]",
            '[[ranking]]\nmetric = "accuracy"\nhigher_is_better = true\n[[ranking]]',
            "ranking.1.metric",
            "breaks no tie",
        ),
        (
            "[[ranking]]",
            "[rubric.late]\npercent_per_day = 10\nmost_percent = 5\n[[ranking]]",
            "rubric.late.most_percent",
            "less than the first day costs",
        ),
        ("[rubric]", "[rubric]\ncap = 1", "rubric.cap", "at most 1 of 100 points count"),
        ("[rubric]", "[rubric]\ncap = 101", "rubric.cap", "101 is never reached: all points together are 100"),
        (
            "[[rubric.rank]]",
            '[[rubric.points]]\nname = "large"\npoints = 1\nmetric = "parameters"\nat_least = 200_000\n[[rubric.rank]]',
            "rubric.points.1.at_least",
            "cannot be reached: parameters may be at most 100000",
        ),
        (
            "[[ranking]]",
            '[rubric.late]\ndue = "2026-02-28T23:59:00+08:00"\n[[ranking]]',
            "rubric.late.due",
            "2026-02-28 23:59 UTC+08:00 is in the past",
        ),
        (
            "[[ranking]]",
            '[rubric.late]\ndue = "2026-03-28T23:59:00+08:00"\npercent_per_day = 0.1\n[[ranking]]',
            "rubric.late.percent_per_day",
            "0.1 is 10 %",
        ),
    ],
)
def test_what_is_probably_not_meant_is_told(old: str, new: str, where: str, what: str, tmp_path: Path) -> None:
    text = shipped()[HW].read_text(encoding="utf-8")
    assert old in text
    told = found(text.replace(old, new, 1), tmp_path)
    assert [each for each in told if each[0] == where and what in each[1]], told
