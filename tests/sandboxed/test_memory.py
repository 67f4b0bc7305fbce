"""What is known of a class is not found out again: which change of the rules, the files or the images runs what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import CLASSES, limits, noise, write_assignment, write_idx
from hand_ins import HONEST, IMAGES, PLUGINS, hand_in, linear, sandbox_called

from harness.assignment.loading import load
from harness.board.record import BoardRequest, class_record
from harness.data.data_sets import DataSets
from harness.grading.environment import environment
from harness.grading.run import Run
from harness.networks.student import SandboxedStudent
from harness.sandbox import Box, Sandbox
from harness.store.store import Store
from harness.submission.discovery import discover
from harness.values.board import Board
from harness.values.results import Result

# Decides by what it sees, so that no graph holds for every image.
DECIDES = HONEST.replace("return self.fc(x.flatten(1))", "return self.fc(x.flatten(1)) * (2 if x.sum() > 0 else 1)")
LIMIT = 4 * 192 + 4


class Class:
    """Three hand-ins, an assignment that changes, and a store that stays."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.hand_ins = folder, folder / "class"
        hand_in(self.hand_ins / "honest")
        hand_in(self.hand_ins / "decides", DECIDES, linear(1).state_dict())
        hand_in(self.hand_ins / "broken", "class StudentNet: pass")
        write_idx(folder / "assignment" / "data", *noise(IMAGES))
        self.store = Store.open(f"sqlite:///{folder / 'harness.db'}")
        self.measured: Counter[tuple[str, str]] = Counter()
        self.opened: Counter[str] = Counter()
        self.watch(monkeypatch)

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("accuracy", "parameter_limit", "quantization_curve", "model_size"):
            kind = type(PLUGINS.evaluators[name])
            original = kind.evaluate

            def evaluate(this: Any, student: Any, context: Any, original: Any = original) -> Any:
                found = original(this, student, context)
                self.measured[this.name, "verified" if student.verification.verified else "unverified"] += 1
                return found

            monkeypatch.setattr(kind, "evaluate", evaluate)
        run_its_code = SandboxedStudent.open

        def opening(this: SandboxedStudent) -> None:
            self.opened[this.submission.id] += 1
            run_its_code(this)

        monkeypatch.setattr(SandboxedStudent, "open", opening)

    def graded(self, sandbox: Sandbox, fresh: bool = False, **tables: Any) -> dict[str, Result]:
        """What grading the class tells of everyone; what it ran is in `measured` and `opened`."""
        self.measured.clear()
        self.opened.clear()
        assignment = load(str(write_assignment(self.folder / "assignment", **{**rules(), **tables})), PLUGINS)
        images = DataSets(assignment, PLUGINS, "instructor")
        submissions = discover([self.hand_ins])
        run = Run(assignment, PLUGINS, sandbox, submissions, images, self.store, environment("bwrap"), jobs=1)
        for _ in run.grade(fresh=fresh):
            pass
        return {each.result.submission: each.result for each in run.attempts()}

    def board(self, **tables: Any) -> Board:
        assignment = load(str(write_assignment(self.folder / "assignment", **{**rules(), **tables})), PLUGINS)
        return class_record(self.store, assignment, BoardRequest()).board


def rules(limit: int = LIMIT, points: float = 3, baseline: float = 0.01, **evaluators: Any) -> dict[str, Any]:
    return {
        "evaluators": {"accuracy": {}, "parameter_limit": {"limit": limit}, **evaluators},
        "baselines": {"simple": baseline},
        "rubric": {"gates": ["parameter_limit"], "points": [{"name": "p", "baseline": "simple", "points": points}]},
        "limits": limits(40),
    }


def forbidden_to(everyone: Class, name: str, start: Any) -> Any:
    """`Box.worker`, as long as it starts none for that submission's code."""
    source = (everyone.hand_ins / name / "model.py").read_text()

    def worker(box: Box, folder: Path, *rest: Any, **more: Any) -> Any:
        assert (folder / "model.py").read_text() != source, f"a worker was started for {name}"
        return start(box, folder, *rest, **more)

    return worker


class NoSandbox:
    """One that nobody may ask for anything."""

    name = "bwrap"

    def __getattr__(self, asked: str) -> Any:
        raise AssertionError(f"{asked} of a sandbox that is not needed")


@pytest.fixture
def everyone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Class]:
    made = Class(tmp_path, monkeypatch)
    with closing(made.store):
        yield made


def test_what_a_change_runs(everyone: Class) -> None:
    sandbox, nobody = sandbox_called("bwrap"), NoSandbox()
    first = everyone.graded(sandbox)
    assert {name: each.status for name, each in first.items()} == {
        "honest": "graded",
        "decides": "graded",
        "broken": "rejected",
    }
    assert (first["honest"].network.verified, first["decides"].network.verified) == (True, False)
    assert everyone.opened == {"honest": 1, "decides": 1, "broken": 1}

    # Nothing has changed, or nothing that decides a measurement: nothing is read, nothing is started.
    data = {"test": {"id": "noise", "dataset": "idx", "path": "../assignment/data"}}
    names = {"classes": CLASSES, "class_names": list("abcd"), "resize": "none", "mean": [0.5] * 3, "std": [0.5] * 3}
    strict = rules(limit=LIMIT - 1, points=7, baseline=0.9)
    for changes in ({}, {"title": "Another", "data": data, "images": names}, rules(points=7), strict):
        again = everyone.graded(nobody, **changes)
        assert (everyone.opened, everyone.measured) == ({}, {})
        assert again["honest"].metrics == first["honest"].metrics
    assert [each.submission for each in everyone.board(**rules(points=7)).standings] == ["decides", "honest"]
    points = {each.submission: each.max_score for each in everyone.board(**rules(points=7)).standings}
    assert points == {"decides": 7, "honest": 7}
    over = {each.submission: each.reason for each in everyone.board(**strict).unranked}
    assert over["honest"] == over["decides"] == "failed parameter_limit"
    (limit, baseline) = everyone.graded(nobody, **strict)["honest"].checks[::-1]
    assert (limit.verdict, baseline.verdict) == ("failed", "failed")
    assert "772 parameters, over the limit of 771" in limit.reason

    # Who was stopped or refused may fare better with other limits of time; nobody else is tried again.
    everyone.graded(sandbox, limits=limits(50))
    assert (everyone.opened, everyone.measured) == ({"broken": 1}, {})
    assert len(everyone.board(limits=limits(50)).standings) == 2


def test_another_evaluator_is_measured_from_what_is_kept(everyone: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox, more = sandbox_called("bwrap"), rules(quantization_curve={"bits": [8, 4]})
    first = everyone.graded(sandbox)
    assert "quantization_curve" not in str(everyone.board(**more).standings)
    monkeypatch.setattr(Box, "worker", forbidden_to(everyone, "honest", Box.worker))
    again = everyone.graded(sandbox, **more)
    # A graph is all that the verified network is measured by; the other has to run.
    assert everyone.opened == {"decides": 1}
    assert everyone.measured == {("quantization_curve", "verified"): 1, ("quantization_curve", "unverified"): 1}
    for name in ("honest", "decides"):
        assert again[name].metrics == first[name].metrics
        assert again[name].predictions == first[name].predictions
        assert again[name].measured_at["accuracy"] == first[name].measured_at["accuracy"]
        assert again[name].measured_at["quantization_curve"] > first[name].measured_at["accuracy"]
        assert [each.name for each in again[name].curves] == ["quantization"]
    # From the graph it comes to the same numbers as from the submission.
    monkeypatch.undo()
    everyone.watch(monkeypatch)
    anew = everyone.graded(sandbox, fresh=True, **more)
    assert everyone.opened == {"honest": 1, "decides": 1, "broken": 1}
    assert anew["honest"].curves == again["honest"].curves
    # Without it, what it found is shown no more; nothing runs.
    without = everyone.graded(sandbox)
    assert (everyone.opened, without["honest"].curves) == ({}, ())


def test_other_files_around_the_same_network_run_its_code_and_measure_only_them(everyone: Class) -> None:
    sandbox = sandbox_called("bwrap")
    everyone.graded(sandbox, **rules(model_size={}))
    (everyone.hand_ins / "honest" / "README.md").write_text("what I did")
    (everyone.hand_ins / "decides" / "README.md").write_text("what I did")
    everyone.graded(sandbox, **rules(model_size={}))
    assert everyone.opened == {"honest": 1, "decides": 1}
    assert everyone.measured[("accuracy", "verified")] == 0
    assert everyone.measured[("accuracy", "unverified")] == 1
    assert everyone.measured[("model_size", "verified")] == 1


def test_other_images_are_looked_at_by_those_who_look_at_images(everyone: Class) -> None:
    sandbox = sandbox_called("bwrap")
    first = everyone.graded(sandbox, **rules(model_size={}))
    pixels, labels = noise(IMAGES)
    write_idx(everyone.folder / "assignment" / "data", 255 - pixels, labels)
    again = everyone.graded(sandbox, **rules(model_size={}))
    assert everyone.opened == {"decides": 1}
    assert {name for name, kind in everyone.measured if kind == "verified"} == {"accuracy", "parameter_limit"}
    assert again["honest"].predictions != first["honest"].predictions
    assert again["honest"].metrics["stored_bytes"] == first["honest"].metrics["stored_bytes"]


def test_a_network_that_is_too_large_to_be_kept_runs_again(everyone: Class) -> None:
    sandbox, small = sandbox_called("bwrap"), {"limits": {**limits(40), "kept_bytes": 1000}}
    first = everyone.graded(sandbox, **small)
    again = everyone.graded(sandbox, **{**rules(quantization_curve={"bits": [8]}), **small})
    assert everyone.opened["honest"] == 1
    assert any("too large to be kept" in note for note in first["honest"].notes)
    assert not any("too large" in note for note in first["decides"].notes)
    assert np.isclose(again["honest"].metrics["accuracy"].value, first["honest"].metrics["accuracy"].value)
    assert again["honest"].curves
