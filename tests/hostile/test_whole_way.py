"""One class, many hostile hand-ins, the whole way: graded, stored, read back, and shown by every command.

Each hand-in tries to forge a grade, to leak something, or to end the command for everyone. What became of the honest
ones must not differ from a class of their own.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
import types
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
import torch
from builders import limits, noise, write_assignment, write_idx
from click.testing import CliRunner
from click.testing import Result as Run
from hand_ins import HONEST, IMAGES, hand_in, linear, sandbox_called

from harness.cli import main

pytestmark = pytest.mark.timeout(300)
STUDENT = "312551002_Mallory"
LOSS = """
import torch.nn.functional as F

def loss_fn_kd(student, labels, teacher, T, alpha):
    soft = F.kl_div(F.log_softmax(student / T, 1), F.softmax(teacher / T, 1), reduction="batchmean")
    return alpha * T * T * soft + (1 - alpha) * F.cross_entropy(student, labels)
"""
WHOLE = HONEST + LOSS
# Its code runs on every image, since how it branches depends on them.
UNVERIFIED = WHOLE.replace(
    "        return self.fc", "        if float(x.sum()) == 12345:\n            x = x * 0\n{}        return self.fc"
)


def in_forward(line: str) -> str:
    return UNVERIFIED.replace("{}", f"        {line}\n" if line else "")


SOURCES = {
    "surrogate": WHOLE.replace(
        "        return self.fc", '        raise ValueError("bad \\ud800 reason")\n        return self.fc'
    ),
    "surrogate_loss": WHOLE.replace("    soft =", '    raise ValueError("\\ud800\\u0000")\n    soft ='),
    "no_loss": WHOLE.replace("(student, labels, teacher, T, alpha)", "(path, epochs)"),
    "pixels": in_forward('if len(x) > 9: raise ValueError(f"PIXELS {float(x.flatten()[0])} {float(x.flatten()[9])}")'),
    "unverified": in_forward(""),
}
SETTINGS = {
    "year_9999": "submitted_at = 9999-12-31T23:59:59-14:00",
    "no_json": "model_arguments = {x = 2020-01-01}",
    "giant": f"model_arguments = {{x = 0x{'f' * 20000}}}",
    "dotted": "a." * 20_000 + "a = 1",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sandbox_called("auto")
    top: Path = tmp_path_factory.mktemp("whole")
    write_idx(top / "data", *noise(IMAGES))
    write_assignment(
        top,
        evaluators={"parameter_limit": {"limit": 1000}, "kd_loss": {}, "accuracy": {}, "model_size": {}},
        limits=limits(30),
        rubric={
            "gates": ["kd_loss"],
            "points": [{"name": "size", "check": "parameter_limit", "points": 40}],
            "rank": [{"name": "place", "points": 10}],
            "late": {"due": "2026-01-31T23:59:00+08:00", "percent_per_day": 10},
        },
    )
    for name in ("aaa_honest", "zzz_honest"):
        hand_in(top / "alone" / name, WHOLE)
        hand_in(top / "class" / name, WHOLE)
    _hostile(top / "class")
    return top


def _hostile(place: Path) -> None:
    for name, source in SOURCES.items():
        hand_in(place / name, source)
    for name, text in SETTINGS.items():
        (hand_in(place / name, WHOLE) / "submission.toml").write_text(text)
    (hand_in(place / "named", WHOLE) / "model.py").rename(place / "named" / f"HW2_{STUDENT}.py")
    _decoy(place / "decoy")
    counters = {f"h{number}.num_batches_tracked": torch.tensor(2**59 + number) for number in range(300)}
    hand_in(place / "counters", WHOLE, {**linear().state_dict(), **counters})
    hand_in(place / "twin", WHOLE)
    (place / "twin.tar.gz").write_bytes(b"")
    (hand_in(place / "links", WHOLE) / "d0").mkdir()
    for depth in range(1, 40):
        (place / "links" / f"d{depth}").mkdir()
        for side in "ab":
            (place / "links" / f"d{depth}" / side).symlink_to(f"../d{depth - 1}")


def _decoy(folder: Path) -> None:
    """The weights file only calls a function of the student's, which reads the weights from elsewhere."""
    weights = {name: each.tolist() for name, each in linear().state_dict().items()}
    read = "\n\ndef read():\n    return {n: torch.tensor(v) for n, v in json.load(open('data.json')).items()}\n"
    hand_in(folder, "import json\n" + WHOLE + read)
    (folder / "data.json").write_text(json.dumps(weights))
    module = types.ModuleType("model")
    exec(read, module.__dict__)
    called = type("Called", (), {"__reduce__": lambda _: (module.read, ())})()
    with mock.patch.dict(sys.modules, model=module):
        module.read.__module__ = "model"
        torch.save(called, folder / "weights.pt", _use_new_zipfile_serialization=False)


@pytest.fixture(scope="module")
def harness(folder: Path) -> Callable[..., Run]:
    def run(command: str, *arguments: str, store: str = "class") -> Run:
        url = f"sqlite:///{folder / store}.db"
        return CliRunner().invoke(main, [command, str(folder / "small.toml"), *arguments, "--store", url])

    return run


@pytest.fixture(scope="module")
def graded(folder: Path, harness: Callable[..., Run]) -> dict[str, dict[str, object]]:
    """What became of everyone."""
    alone = harness("grade", str(folder / "alone"), "--json", str(folder / "alone.json"), store="alone")
    assert alone.exit_code == 0, alone.output
    run = harness("grade", str(folder / "class"), "--json", str(folder / "class.json"))
    assert run.exit_code == 1, run.output  # for the twins alone
    assert "2 submissions have the id 'twin'" in run.stderr
    assert re.search(r"^2 submissions need a decision", run.stderr, re.MULTILINE), run.stderr
    return {each["submission"]: each for each in json.loads((folder / "class.json").read_text())["results"]}


def test_everyone_has_an_outcome_and_none_is_our_failure(graded: dict[str, dict[str, object]]) -> None:
    found = {name: each["status"] for name, each in graded.items()}
    assert found == {
        **dict.fromkeys(["surrogate", "pixels"], "crashed"),
        **dict.fromkeys([*SETTINGS, "links"], "rejected"),
        **dict.fromkeys(
            ["aaa_honest", "zzz_honest", "surrogate_loss", "no_loss", "unverified", "named", "decoy", "counters"],
            "graded",
        ),
    }


def test_honest_ones_are_graded_as_in_a_class_of_their_own(folder: Path, graded: dict[str, dict[str, object]]) -> None:
    for alone in json.loads((folder / "alone.json").read_text())["results"]:
        beside = graded[alone["submission"]]
        own = dict.fromkeys(("seconds", "submitted_at", "measured_at"))
        assert {**beside, **own} == {**alone, **own}


def test_nothing_forged_counts(graded: dict[str, dict[str, object]]) -> None:
    checks = {name: {each["name"]: each for each in found["checks"]} for name, found in graded.items()}  # type: ignore[attr-defined]
    assert checks["decoy"]["weights_size"]["verdict"] == "could_not_check"
    assert "stored_bytes" not in graded["decoy"]["metrics"]  # type: ignore[operator]
    # They do not reach the logits, and are not counted: neither are they worth anything.
    assert checks["counters"]["parameter_limit"]["reason"] == "772 of at most 1,000 parameters"
    assert graded["no_loss"]["score"] == 0
    assert [line["pending"] for line in graded["no_loss"]["points"]] == [40]  # type: ignore[attr-defined]


@pytest.mark.parametrize("audience", ["instructor", "student"])
def test_every_report_can_be_written_and_students_read_no_pixels(
    harness: Callable[..., Run], graded: dict[str, dict[str, object]], audience: str
) -> None:
    for name in graded:
        for kind in ("terminal", "markdown", "html", "json"):
            run = harness("report", name, "--format", kind, "--audience", audience)
            assert run.exit_code == 0, (name, kind, run.output)
            run.stdout.encode()
            assert ("PIXELS" in run.stdout and audience == "student") is False, (name, kind)
    assert "PIXELS" in harness("report", "pixels", "--audience", "instructor").stdout


def test_every_command_of_the_class_works(harness: Callable[..., Run], graded: dict[str, dict[str, object]]) -> None:
    for command in ("leaderboard", "statistics"):
        assert harness(command).exit_code == 0
    for kind in ("table", "markdown", "csv", "json"):
        assert harness("leaderboard", "--format", kind).exit_code == 0
    for name in graded:
        assert harness("history", name).exit_code == 0
    rows = list(csv.DictReader(io.StringIO(harness("export", "--to", "csv").stdout)))
    assert {row["submission"] for row in rows} == graded.keys()
    assert {row["submission"] for row in rows if row["pending"]} == {"no_loss", "surrogate_loss"}


def test_the_class_s_site_shows_verdicts_and_no_words_of_a_student(
    harness: Callable[..., Run], graded: dict[str, dict[str, object]], tmp_path: Path
) -> None:
    run = harness("leaderboard", "--anonymous", "--format", "html", "--out", str(tmp_path))
    assert run.exit_code == 0, run.output
    pages = {path.name: path.read_text() for path in tmp_path.rglob("*.html")}
    assert len(pages) > len(graded) // 2
    for name, text in pages.items():
        for word in (STUDENT, "Mallory", "PIXELS", "loss_fn_kd", ".py", "ValueError", "\ufffd"):
            assert word not in re.sub(r"<style.*?</style>|<script.*?</script>", "", text, flags=re.DOTALL), (name, word)
