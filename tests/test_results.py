"""The result JSON keeps its contract and reads back."""

from __future__ import annotations

import json

from result_fakes import ENVIRONMENT, INFO, result

from harness.api import ModelFacts
from harness.values.results import Report, layers


def test_a_report_reads_back_as_it_was() -> None:
    report = Report(assignment=INFO, environment=ENVIRONMENT, results=(result(), result("bob", None)))
    assert Report.model_validate_json(report.to_json()) == report


def test_intervals_that_do_not_exist_are_absent_and_hints_are_null() -> None:
    document = json.loads(Report(assignment=INFO, environment=ENVIRONMENT, results=(result(),)).to_json())
    (only,) = document["results"]
    assert document["schema_version"] == 1
    assert only["metrics"]["parameters"] == {"value": 1000, "unit": "parameters", "higher_is_better": False}
    assert only["metrics"]["accuracy"] == {
        "value": 0.9,
        "unit": "fraction",
        "higher_is_better": True,
        "low": 0.89,
        "high": 0.91,
    }
    assert only["checks"][0]["hint"] is None
    assert only["reason"] is None
    assert only["curves"][0]["series"][0]["points"] == [[1.0, 0.5]]


def test_whole_numbers_stay_whole_and_others_do_not() -> None:
    document = json.loads(result().to_json())
    assert isinstance(document["metrics"]["parameters"]["value"], int)
    assert isinstance(document["score"], float)


def test_json_moves_no_cursor() -> None:
    text = result(nickname="\x9b31m王\u202e").to_json()
    assert text.isascii()
    assert "\x1b" not in text


def test_layers_are_kept_within_limits() -> None:
    claimed = [["conv\x1b[2J1", "Conv2d", [1, 8, 28, 28], 80], ["x" * 5000, "Lie", [], 0]]
    claimed += [["huge", "Lie", [1], 10**30], ["below", "Lie", [-1], 0], ["deep", "Lie", [1] * 50, 0]]
    facts = ModelFacts(
        source="m.py", weights_format="pt", state={}, parameters=(), storage_elements=0, torchinfo=1, layers=claimed
    )
    kept = layers(facts)
    assert [(each.name, each.kind, each.output, each.parameters) for each in kept] == [
        ("conv1", "Conv2d", (1, 8, 28, 28), 80),
        ("x" * 79 + "…", "Lie", (), 0),
    ]
    assert len(layers(facts.model_copy(update={"layers": facts.layers[:1] * 5000}))) == 300
