"""Assignment files: every mistake at once, each with its place and what to do."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from pydantic import ValidationError

from harness.api import CheckSpec, Evaluation, MetricSpec, Options, hookimpl
from harness.assignment.loading import Assignment, load, shipped
from harness.assignment.schema import json_schema
from harness.errors import AssignmentError, UsageError
from harness.plugins import Plugins
from harness.values.rules import ImageRules


class AccuracyOptions(Options):
    floor: float = 0
    limit: int | None = None


class Accuracy:
    """Fake."""

    name = "accuracy"
    Options = AccuracyOptions
    metrics = (
        MetricSpec("accuracy", unit="fraction", higher_is_better=True, split=True),
        MetricSpec("bytes", unit="bytes", higher_is_better=False),
    )
    checks = (CheckSpec("accuracy_baseline"),)

    def evaluate(self, student: Any, context: Any) -> Evaluation:
        raise NotImplementedError


class Idx:
    """Fake."""

    name = "idx"

    def load(self, folder: Path) -> Any:
        raise NotImplementedError


class Plugin:
    @hookimpl
    def harness_evaluators(self) -> list[Accuracy]:
        return [Accuracy()]

    @hookimpl
    def harness_datasets(self) -> list[Idx]:
        return [Idx()]


PLUGINS = Plugins.of(Plugin())
GOOD: dict[str, Any] = {
    "id": "hw1",
    "title": "Homework",
    "submission": {"entry_points": ["Net"], "input_sizes": [28]},
    "data": {"test": {"id": "digits", "dataset": "idx", "path": "digits", "stand_in": True}},
    "images": {"classes": 10, "channels": 3, "resize": "none", "mean": [0.5, 0.5, 0.5], "std": [1, 1, 1]},
    "baselines": {"simple": 0.5},
    "evaluators": {"accuracy": {"limit": 3}},
    "rubric": {
        "gates": ["accuracy_baseline"],
        "points": [{"name": "simple", "baseline": "simple", "points": 4}],
        "late": {"due": "2026-01-31T23:59:00+08:00"},
    },
    "ranking": [{"metric": "accuracy", "higher_is_better": True}],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "digits").mkdir()
    return tmp_path


def read(folder: Path, document: dict[str, Any], **arguments: Any) -> Assignment:
    (folder / "hw.toml").write_text(tomli_w.dumps(document), encoding="utf-8")
    return load(str(folder / "hw.toml"), PLUGINS, **arguments)


def problems(folder: Path, *edits: tuple[str, Any]) -> dict[str, str]:
    """Place -> mistake, after setting keys of the good file (None removes one)."""
    document = copy.deepcopy(GOOD)
    for path, value in edits:
        *parents, key = path.split(".")
        node: Any = document
        for part in parents:
            node = node[int(part)] if isinstance(node, list) else node.setdefault(part, {})
        if value is None:
            del node[key]
        else:
            node[key] = value
    with pytest.raises(AssignmentError) as caught:
        read(folder, document)
    places = [problem.where for problem in caught.value.problems]
    assert len(places) == len(set(places)), "one mistake is told once"
    return {problem.where: problem.what for problem in caught.value.problems}


def test_a_good_file_is_read(folder: Path) -> None:
    assignment = read(folder, GOOD)
    assert assignment.id == "hw1"
    assert assignment.options["accuracy"] == AccuracyOptions(limit=3)
    assert assignment.data_paths["test"] == folder / "digits"
    assert assignment.rules.images.mean == (0.5, 0.5, 0.5)
    assert (assignment.info.data.id, assignment.info.data.stand_in) == ("digits", True)


def test_all_mistakes_are_told_at_once(folder: Path) -> None:
    found = problems(
        folder,
        ("titel", "x"),
        ("submission.entrypoints", ["Net"]),
        ("data.test.pth", "digits"),
        ("data.test.path", "nowhere"),
        ("data.test.dataset", "ixd"),
        ("images.classes", "10"),
        ("evaluators.accuracy.limt", 3),
        ("evaluators.acuracy", {}),
        ("rubric.gates", ["accuracy_basline"]),
        ("rubric.points.0.pionts", 4),
        ("rubric.points.0.baseline", "simpel"),
        ("rubric.late.graceminutes", 4),
        ("ranking.0.metric", "acuracy"),
    )
    expected = {
        "titel": "unknown key; did you mean 'title'?",
        "submission.entrypoints": "unknown key; did you mean 'entry_points'?",
        "data.test.pth": "unknown key; did you mean 'path'?",
        "data.test.path": f"no such folder: {folder / 'nowhere'}; --data test=FOLDER names another",
        "data.test.dataset": "unknown data set kind 'ixd'; did you mean 'idx'? (known: idx)",
        "images.classes": "input should be a valid integer (got '10'); write 10, without quotes",
        "evaluators.accuracy.limt": "unknown key; did you mean 'limit'?",
        "evaluators.acuracy": "unknown evaluator 'acuracy'; did you mean 'accuracy'? (known: accuracy)",
        "rubric.gates.0": (
            "no evaluator of this assignment provides 'accuracy_basline'; did you mean 'accuracy_baseline'?"
        ),
        "rubric.points.0.pionts": "unknown key; did you mean 'points'?",
        "rubric.points.0.baseline": "unknown baseline 'simpel'; did you mean 'simple'? (known: simple)",
        "rubric.late.graceminutes": "unknown key; did you mean 'grace_minutes'?",
        "ranking.0.metric": "no evaluator of this assignment provides 'acuracy'; did you mean 'accuracy'?",
    }
    assert found == expected


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("id", None, "required, but missing"),
        ("ranking", [], "at least 1"),
        ("images.classes", 1, "greater than or equal to 2 (got 1)"),
        ("images.classes", True, "valid integer"),
        ("images.mean", [0.5], "1 numbers for 3 channels"),
        ("images.std", [1.0, 0.0, 1.0], "greater than 0"),
        ("images.resize", "crop", "'stretch', 'center_crop' or 'none'"),
        ("data.test.public_fraction", 1.5, "less than 1"),
        ("limits.memory_bytes", "3 GB", "(got '3 GB'); write 3000000000, without quotes"),
        ("limits.memory_bytes", "3 GiB", "write 3221225472, without quotes"),
        ("limits.memory_bytes", 6e4, "(got 60000.0); write 60000"),
        ("limits.memory_bytes", "60k", "write 60000, without quotes"),
        ("limits.memory_bytes", float("inf"), "whole numbers only"),
        ("rubric.points.0.points", "2,5x", "write a number, without quotes"),
        ("ranking.0.higher_is_better", None, "write higher_is_better = true, or higher_is_better = false"),
        ("ranking.0.higher_is_better", "yes", "write true or false, without quotes"),
        ("submission.entry_points", "Net", 'write ["Net"]'),
        ("id", "NTU ML 2023", "write small letters, digits, _ . and - only: ntu-ml-2023"),
        ("limits.memory_bytes", 3072, "3072 MiB are 3221225472"),
        ("title", 13, 'put it between quotes: "13"'),
        ("board.names", "Anonymous", "did you mean 'anonymous'?"),
        ("evaluators.accuracy.limit", "3", "valid integer"),
        ("evaluators.accuracy", 3, "should be a table"),
        ("rubric.points.0.check", "accuracy_baseline", "exactly one of"),
        ("images.crop_from", 32, "crop_from needs resize"),
        ("rubric.points.0.points", -1, "greater than or equal to 0"),
        ("rubric.points.0.points", float("nan"), "finite"),
        ("rubric.points", "all", "should be a list"),
        ("rubric.late.due", "tomorrow", "date and time"),
        ("rubric.late.due", "2026-01-31T23:59:00", "time zone"),
        ("rubric.late.due", "2026-01-31", "time of day"),
        ("rubric.late.due", "0001-01-01T00:00:00+14:00", "2000 to 2100"),
        ("rubric.late.timezone", "Asia/Taipeh", "did you mean 'Asia/Taipei'?"),
        ("rubric.late.timezone", "../../etc/passwd", "name of a time zone"),
        ("rubric.late.late_unknown", 0, "'ask', 'none', or a number of days"),
        ("rubric.late.late_unknown", "never", "'ask', 'none', or a number of days"),
        ("rubric.late.late_unknown", True, "'ask', 'none', or a number of days"),
        ("schema_version", 2, "should be 1"),
        ("baselines.simple", 84, "less than or equal to 1"),
    ],
)
def test_one_mistake_is_named(folder: Path, path: str, value: Any, message: str) -> None:
    found = problems(folder, (path, value))
    assert len(found) == 1
    ((where, what),) = found.items()
    assert path.startswith(where) or where.startswith(path)
    assert message in what


def test_nothing_larger_is_cut_out_of_something_smaller(folder: Path) -> None:
    document = copy.deepcopy(GOOD)
    document["images"] |= {"resize": "center_crop", "crop_from": 27}
    with pytest.raises(
        AssignmentError, match=r"images\.crop_from: crop_from = 27 is too small .*28x28 pixels out of; write 28 or more"
    ):
        read(folder, document)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ({"at_least": 90}, "a fraction, at most 1: 90 % is 0.9 (got 90)"),
        ({"at_most": 1.5}, "1.5 % is 0.015 (got 1.5)"),
        ({"metric": "accuracy_public", "at_least": -3}, "accuracy_public is a fraction, at most 1 (got -3)"),
        ({"metric": "bytes", "baseline": "simple"}, "[baselines] are accuracies; bytes needs at_least or at_most"),
    ],
)
def test_a_level_that_a_metric_cannot_have_is_a_mistake(folder: Path, condition: dict[str, Any], message: str) -> None:
    document = copy.deepcopy(GOOD)
    document["rubric"]["points"] = [{"name": "A", "metric": "accuracy", "points": 1, **condition}]
    with pytest.raises(AssignmentError, match=re.escape(message)):
        read(folder, document)


@pytest.mark.parametrize(
    "condition", [{"at_least": 0.9}, {"at_most": 1}, {"metric": "bytes", "at_most": 90}, {"baseline": "simple"}]
)
def test_levels_that_a_metric_can_have_are_no_mistake(folder: Path, condition: dict[str, Any]) -> None:
    document = copy.deepcopy(GOOD)
    document["rubric"]["points"] = [{"name": "A", "metric": "accuracy", "points": 1, **condition}]
    read(folder, document)


def test_no_test_data_is_a_mistake(folder: Path) -> None:
    document = copy.deepcopy(GOOD)
    document["data"]["train"] = document["data"].pop("test")
    with pytest.raises(AssignmentError, match=r"\[data.test\] is missing"):
        read(folder, document)


def test_a_baseline_without_accuracy_is_a_mistake(folder: Path) -> None:
    found = problems(folder, ("evaluators", {"other": {}}), ("ranking.0.metric", "parameters"))
    assert "provides 'accuracy'" in found["rubric.points.0.metric"]


def test_broken_toml_says_where(folder: Path) -> None:
    (folder / "bad.toml").write_text("id = 'x'\n[oops\n", encoding="utf-8")
    with pytest.raises(AssignmentError, match="line 2"):
        load(str(folder / "bad.toml"), PLUGINS)


@pytest.mark.parametrize(
    ("name", "message"), [("nycu-ds2023-hw", "did you mean 'nycu-ds2023-hw2'"), ("/", "a folder, not a file")]
)
def test_no_such_assignment(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load(name, PLUGINS)


def test_the_digest_ignores_layout_and_sees_rules(folder: Path) -> None:
    first = read(folder, GOOD)
    (folder / "hw.toml").write_text("# a comment\n" + tomli_w.dumps(GOOD, multiline_strings=True), encoding="utf-8")
    assert load(str(folder / "hw.toml"), PLUGINS).digest == first.digest
    changed = copy.deepcopy(GOOD)
    changed["baselines"]["simple"] = 0.6
    assert read(folder, changed).digest != first.digest


def test_other_data_is_no_stand_in_and_needs_no_original(folder: Path) -> None:
    (folder / "digits").rmdir()
    real = folder / "Real Data"
    real.mkdir()
    assignment = read(folder, GOOD, data={"test": real})
    assert assignment.data_paths["test"] == real
    assert (assignment.info.data.id, assignment.info.data.stand_in) == ("real-data", False)
    assert read(folder, GOOD, needs_data=False).digest != assignment.digest


def test_naming_the_stand_in_leaves_it_one(folder: Path) -> None:
    assignment = read(folder, GOOD, data={"test": folder / "digits"})
    assert assignment.info.data.stand_in
    assert assignment.digest == read(folder, GOOD).digest


@pytest.mark.parametrize(("name", "message"), [("tset", "did you mean 'test'"), ("test", "no such folder")])
def test_bad_overrides(folder: Path, name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read(folder, GOOD, data={name: folder / "nowhere"})


def test_the_schema_knows_the_evaluators_options() -> None:
    schema = json_schema(PLUGINS)
    assert set(schema["properties"]["evaluators"]["properties"]) == {"accuracy"}
    references = json.dumps(schema).split('"$ref": "#/$defs/')[1:]
    assert {each.split('"')[0] for each in references} <= set(schema["$defs"])


def test_shipped_assignments_are_named_by_their_ids() -> None:
    assert {"nycu-ds2023-hw2", "ntu-ml2020-hw7", "ntu-ml2023-hw13"} <= set(shipped())
    for name, file in shipped().items():
        assert f'id = "{name}"' in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(shipped()))
def test_shipped_assignments_are_valid(name: str) -> None:
    assignment = load(name, Plugins.installed(), needs_data=False)
    assert assignment.id == name


def test_every_class_or_none_has_a_name() -> None:
    named = {"classes": 2, "resize": "none", "mean": [0, 0, 0], "std": [1, 1, 1], "class_names": ["cat", "dog"]}
    assert ImageRules.model_validate(named).class_names == ("cat", "dog")
    with pytest.raises(ValidationError, match="class_names has 1 names for 2 classes"):
        ImageRules.model_validate({**named, "class_names": ["cat"]})


UNIT, IMAGENET = ((0, 0, 0), (1, 1, 1)), ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.mark.parametrize(
    ("name", "size", "resize", "crop_from", "moments"),
    [
        # As the courses' notebooks prepare test images.
        ("ntu-ml2020-hw7", 256, "stretch", None, UNIT),
        ("ntu-ml2021-hw13", 128, "stretch", 142, UNIT),
        ("ntu-ml2022-hw13", 224, "center_crop", 256, IMAGENET),
        ("ntu-ml2023-hw13", 224, "center_crop", 256, IMAGENET),
        ("nycu-ds2023-hw2", 28, "none", None, ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))),
    ],
)
def test_shipped_assignments_prepare_images_as_their_courses_did(
    name: str, size: int, resize: str, crop_from: int | None, moments: Any
) -> None:
    rules = load(name, Plugins.installed()).rules
    assert rules.submission.input_sizes[0] == size
    assert (rules.images.resize, rules.images.crop_from) == (resize, crop_from)
    assert (rules.images.mean, rules.images.std) == moments


@pytest.mark.parametrize("name", sorted(shipped()))
def test_only_courses_that_asked_for_a_loss_function_require_one(name: str) -> None:
    assignment = load(name, Plugins.installed())
    required = assignment.options["kd_loss"].model_dump()["required"]
    assert required == ("hw13" in name)
    assert "kd_loss" not in assignment.rules.rubric.gates


def test_code_that_was_handed_out_has_to_be_there_and_changes_no_result(folder: Path) -> None:
    assert "no such file" in problems(folder, ("submission.starter", ["lab.py"]))["submission.starter.0"]
    (folder / "lab.py").write_text("x = 1\n", encoding="utf-8")
    document = copy.deepcopy(GOOD)
    document["submission"]["starter"] = ["lab.py"]
    found = read(folder, document)
    assert found.starter == (folder / "lab.py",)
    assert found.digest == read(folder, GOOD).digest
