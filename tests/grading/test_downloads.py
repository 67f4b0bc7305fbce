"""Downloads and tables of predictions through the whole command, which needs no worker for either."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import messy
import numpy as np
import pytest
from bulk_fakes import METADATA, download
from click.testing import CliRunner
from click.testing import Result as Run

from harness.api import Check
from harness.assignment.loading import load
from harness.cli import main
from harness.data.data_sets import DataSets
from harness.data.images import public_part
from harness.errors import UsageError
from harness.grading.grader import Grader
from harness.plugins import Plugins
from harness.sandbox import choose
from harness.store.store import Store
from harness.submission.reading import HandIn
from harness.values.results import Attempt, Result

PLUGINS = Plugins.installed()


def table(*changes: int) -> bytes:
    """The reference network's predictions, of which these images' are changed."""
    classes = [(value + 1) % 4 if index in changes else value for index, value in enumerate(messy.predicted())]
    return ("id,pred\n" + "".join(f"{index},{value}\n" for index, value in enumerate(classes))).encode()


CANVAS = {
    "doejane_11_101_pred.csv": table(),
    "王小明_LATE_12_102_pred-1.csv": table(1, 2),
    "team9_13_103_hw.zip": None,
}
MOODLE = {
    "Jane Doe_21_assignsubmission_file/pred.csv": table(),
    "王 小明_22_assignsubmission_file/out/pred.csv": table(5),
}
GRADESCOPE = {
    "export/submission_metadata.yml": METADATA.encode(),
    "export/submission_31/pred.csv": table(),
    "export/submission_32/pred.csv": table(3),
    "export/submission_33/.DS_Store": b"x",
}


def harness(*arguments: Any) -> Run:
    return CliRunner().invoke(main, [str(each) for each in arguments], prog_name="harness")


def attempts(folder: Path) -> tuple[Attempt, ...]:
    with closing(Store.open(f"sqlite:///{folder}/h.db", create=False)) as store:
        return store.latest("messy")


@pytest.mark.parametrize("files", [CANVAS, MOODLE, GRADESCOPE])
def test_the_same_download_twice_changes_nothing(tmp_path: Path, files: dict[str, bytes | None]) -> None:
    assignment = messy.write_messy_assignment(tmp_path / "assignment")
    seen = []
    for number in "ab":  # downloaded again, at another time, into another folder
        path = download(tmp_path / number / "submissions", files, packed=True)
        run = harness("grade", assignment, path, "--sandbox", "none", "--store", f"sqlite:///{tmp_path}/h.db")
        assert run.exit_code == 0, run.output
        assert re.search(
            r"a bulk download with 3 students, [23] files, 0 unmatched|with 2 students, 2 files, 0 unm", run.stderr
        )
        seen.append(attempts(tmp_path))
    # Who could not even be read is tried again; nobody else is.
    read = [[each for each in found if each.result.digest] for found in seen]
    assert read[0] == read[1]
    assert len(read[0]) >= 2


def test_members_late_marks_and_times_are_kept(tmp_path: Path) -> None:
    assignment = messy.write_messy_assignment(tmp_path / "assignment")
    for name, files in (("c", CANVAS), ("g", GRADESCOPE)):
        path = download(tmp_path / name / "dl", files, packed=False)
        path = path / "export" if name == "g" else path
        run = harness("grade", assignment, path, "--sandbox", "none", "--store", f"sqlite:///{tmp_path}/h.db")
        assert run.exit_code == 0, run.output
    results = {each.result.submission: each.result for each in attempts(tmp_path)}
    assert results["12"].members == ("王小明",)
    assert results["12"].notes[:2] == (
        "handed in late, says the learning platform",
        "Canvas numbers what is handed in again: pred-1.csv is read as pred.csv",
    )
    assert results["12"].metrics["accuracy"].value == pytest.approx(hits(1, 2) / 60)
    assert results["submission_32"].members == ("王小明", "Bob Example")
    assert results["submission_32"].accounts == (("wang@example.edu",), ("1003", "bob@example.edu"))
    assert str(results["1001"].submitted_at) == "2026-03-01 12:34:56.789012+00:00"
    assert (results["1001"].time_source, results["1001"].late_mark) == ("platform", None)
    assert (results["12"].submitted_at, results["12"].time_source, results["12"].late_mark) == (None, None, True)
    eve = results["eve@example.edu"]
    assert (eve.reason, eve.members) == ("the submission is empty", ("Eve",))
    assert (str(eve.submitted_at), eve.time_source) == ("2026-03-03 08:00:00+08:00", "platform")
    # The team handed in code without weights, in an archive.
    assert (results["13"].status, results["13"].members) == ("rejected", ("team9",))


def hits(*changes: int) -> int:
    _, labels = messy.images()
    chosen = [(value + 1) % 4 if index in changes else value for index, value in enumerate(messy.predicted())]
    return int((np.array(chosen) == labels).sum())


def graded(folder: Path, content: bytes = table(), audience: Any = "instructor", **changes: Any) -> Result:
    path = folder / "submissions" / "ann"
    path.mkdir(parents=True, exist_ok=True)
    (path / "pred.csv").write_bytes(content)
    file = (
        messy.write_messy_assignment(folder / "assignment")
        if not (folder / "assignment").exists()
        else folder / "assignment/messy.toml"
    )
    assignment = load(str(file), PLUGINS)
    rules = assignment.rules
    data = {"test": rules.data["test"].model_copy(update={"public_fraction": changes.pop("public", None)})}
    asked = rules.submission.model_copy(update={"predictions": changes.pop("predictions", True)})
    assignment = replace(assignment, rules=rules.model_copy(update={"data": data, "submission": asked}))
    found = Grader(assignment, PLUGINS, choose("none"), audience).grade(HandIn("ann", path))
    assert found is not None
    return found


def test_checks_that_need_a_network_are_for_a_person(tmp_path: Path) -> None:
    result = graded(tmp_path)
    assert result.status == "graded"
    assert result.predictions == tuple(messy.predicted())
    assert {name: metric.value for name, metric in result.metrics.items()} == {"accuracy": hits() / 60}
    reason = "only predictions were handed in, without the network"
    hint = "a person has to decide, or hand in the network"
    assert result.checks == tuple(
        Check.could_not_check(name, reason, hint) for name in ("parameter_limit", "weights_size")
    )
    assert result.score == 0


def test_an_assignment_that_wants_the_network_says_so(tmp_path: Path) -> None:
    result = graded(tmp_path, predictions=False)
    assert (result.status, result.metrics, result.predictions) == ("rejected", {}, None)
    assert "this assignment grades the network itself" in str(result.reason)
    assert "defines StudentNet or get_student_model" in str(result.hint)


def test_a_student_sees_the_public_part_judged_and_all_of_it_checked(tmp_path: Path) -> None:
    names = tuple(map(str, range(60)))
    public = public_part(names, 0.5)
    _, labels = messy.images()
    right = messy.predicted() == labels
    seen = graded(tmp_path, audience="student", public=0.5)
    assert seen.metrics.keys() == {"accuracy", "accuracy_public"}
    assert seen.metrics["accuracy"].value == right[public].mean()
    assert len(seen.predictions or ()) == 30
    whole = graded(tmp_path, public=0.5)
    assert whole.metrics["accuracy_private"].value == right[~public].mean()
    private = int(np.flatnonzero(~public)[0])
    broken = table().replace(f"\n{private},".encode(), f"\n{private},9".encode())
    assert f"line {private + 2}: class 9" in str(graded(tmp_path, broken, audience="student", public=0.5).reason)


def test_names_that_tell_the_class_stop_the_run(tmp_path: Path) -> None:
    from PIL import Image

    images = tmp_path / "images"
    images.mkdir()
    for name in ("0_1.png", "1_5.png", "2_2.png"):
        Image.new("RGB", (8, 8)).save(images / name)
    data = {"test": {"id": "named", "dataset": "food11", "path": str(images)}}
    file = messy.write_messy_assignment(tmp_path / "assignment", data=data)
    with pytest.raises(UsageError, match=r"the file names begin with the class, such as 0_1\.png"):
        DataSets(load(str(file), PLUGINS), PLUGINS, "instructor").test(8)
    submission = {**messy.SUBMISSION, "predictions": False}
    file = messy.write_messy_assignment(tmp_path / "assignment", data=data, submission=submission)
    assert len(DataSets(load(str(file), PLUGINS), PLUGINS, "instructor").test(8)[1]) == 3
