"""What the autograder's zip holds, and what it makes of a check: nothing private, and no zero that is not earned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from builders import noise, write_assignment, write_idx
from harness_exports.autograder import GradescopeAutograder
from harness_exports.autograder_run import container_bytes, not_the_students, results_of
from result_fakes import ENVIRONMENT, INFO, result

from harness.api import Check
from harness.assignment.exported import to_export
from harness.assignment.loading import load
from harness.data.handout import hand_out
from harness.data.images import raw_examples
from harness.plugins import Plugins
from harness.values.results import Report

PLUGINS = Plugins.installed()
SETTINGS: dict[str, Any] = {
    "visibility": "after_published",
    "titles": {"accuracy": "accuracy", "macs": "multiply-accumulates"},
    "points": ["simple"],
    "evidence": ["integrity_scrub", "integrity_source"],
    "leaderboard": [{"metric": "accuracy", "order": "desc"}, {"metric": "macs", "order": "asc"}],
    "memory_bytes": 3 * 2**30,
}


def split_assignment(tmp_path: Path) -> Path:
    write_idx(tmp_path / "data", *noise(20))
    test = {"id": "noise", "dataset": "idx", "path": "data", "public_fraction": 0.5}
    points = [
        {"name": "seen", "metric": "accuracy_public", "at_least": 0.2, "points": 3},
        {"name": "unseen", "metric": "accuracy_private", "at_least": 0.2, "points": 3},
    ]
    board = {"platform_shows": "after_due_date", "platform_minutes": 20}
    return write_assignment(
        tmp_path, data={"test": test}, evaluators={"accuracy": {}}, rubric={"points": points}, board=board
    )


def test_the_zip_holds_the_public_images_and_says_what_they_decide(tmp_path: Path) -> None:
    course = load(str(split_assignment(tmp_path)), PLUGINS)
    hand_out(course, PLUGINS, tmp_path / "kit")
    name, files = GradescopeAutograder().pack(to_export(course, tmp_path / "kit"), None)
    assert name.endswith("-autograder.zip")
    settings = json.loads(bytes(files["autograder.json"]))  # type: ignore[arg-type]
    assert settings["points"] == ["seen"]
    assert settings["titles"]["accuracy_public"] == "accuracy (public)"
    assert settings["limit_seconds"] == 19 * 60
    assert settings["visibility"] == "after_due_date"
    assert settings["leaderboard"][0] == {"metric": "accuracy_public", "order": "desc"}
    for path, content in files.items():
        target = tmp_path / "zip" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.read_bytes() if isinstance(content, Path) else content)
    there = load(str(tmp_path / "zip" / settings["assignment"]), PLUGINS)
    whole, public = (raw_examples(PLUGINS.datasets["idx"], each.data_paths["test"]).names for each in (course, there))
    assert 0 < len(public) < len(whole) == 20


def test_points_evidence_and_visibility_are_those_of_the_settings() -> None:
    checks = (Check.passed("integrity_scrub", "EVIDENCE"), Check.failed("integrity_source", "reads files"))
    report = Report(assignment=INFO, environment=ENVIRONMENT, results=(result(checks=checks),))
    found = results_of(report, SETTINGS)
    assert (found["score"], found["visibility"]) == (3, "after_published")
    assert [each["name"] for each in found["tests"]] == ["simple", "integrity_source"]
    assert "EVIDENCE" not in json.dumps(found)
    assert "Points: 3 / 3" in found["output"]
    assert found["leaderboard"] == [{"name": "accuracy (%)", "value": 90, "order": "desc"}]


@pytest.mark.parametrize(
    ("status", "container", "fault"),
    [
        ("out_of_memory", 4 * 2**30, None),
        ("out_of_memory", 4 * 2**30 - 1, "a container of 4,095 MB, and may use 3,072 MB"),
        ("out_of_memory", None, None),
        ("timed_out", 2**29, None),
        ("harness_error", None, "a full disk"),
    ],
)
def test_too_small_a_container_is_nobodys_fault(status: str, container: int | None, fault: str | None) -> None:
    said = not_the_students(result(status=status, reason="a full disk"), SETTINGS, container)
    assert said is None if fault is None else fault in str(said)


def test_memory_is_what_either_version_of_control_groups_says(tmp_path: Path) -> None:
    second, first = tmp_path / "memory.max", tmp_path / "memory.limit_in_bytes"
    assert container_bytes((second, first)) is None
    first.write_text("805306368\n", encoding="ascii")
    assert container_bytes((second, first)) == 768 * 2**20
    second.write_text("max\n", encoding="ascii")
    assert container_bytes((second,)) is None
