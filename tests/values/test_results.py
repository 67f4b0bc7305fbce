"""The result JSON keeps its contract and reads back."""

from __future__ import annotations

import json

from result_fakes import ENVIRONMENT, INFO, result

from harness.values.results import Report


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


def test_a_document_from_before_networks_were_verified_is_read() -> None:
    document = json.loads(Report(assignment=INFO, environment=ENVIRONMENT, results=(result(),)).to_json())
    del document["results"][0]["network"]
    (only,) = Report.model_validate(document).results
    assert only == result()
    assert only.network is None
