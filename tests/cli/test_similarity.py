"""`harness similarity`: from the weights that grading kept, for the instructor, and never a verdict."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import torch
from cli_fakes import HW, FakeGrading
from click.testing import Result as Run
from result_fakes import ENVIRONMENT, result

from harness.assignment.loading import load
from harness.plugins import Plugins
from harness.store import sources
from harness.store.store import Store
from harness.store.weights import file_digest, packed
from harness.values.class_comparison import ClassReport
from harness.values.results import AssignmentInfo

Harness = Callable[..., Run]
STORE = "sqlite:///harness.db"


def weights(folder: Path, seed: int, change: float = 0.0) -> bytes:
    torch.manual_seed(seed)
    state = {"a.weight": torch.randn(8, 3, 3, 3), "b.weight": torch.randn(10, 72)}
    file = folder / "weights.pt"
    file.write_bytes(f"{seed} {change}".encode())
    data = packed({name: each + change * torch.randn(each.shape) for name, each in state.items()}, file_digest(file))
    assert data is not None
    return data


def code(first: str, second: str) -> str:
    """A network with a forward of some length, whose names the student chose."""
    steps = "\n".join(
        f"        {second}{at} = F.relu(self.{first}{at}({second}{at - 1})) + {second}{at - 1}.mean(dim=1, keepdim=True)"
        for at in range(1, 8)
    )
    made = "".join(f"        self.{first}{at} = nn.Linear(8, 8)\n" for at in range(1, 8))
    head = f"class Net(nn.Module):\n    def __init__(self):\n{made}"
    return f"{head}\n    def forward(self, {second}0):\n{steps}\n        return {second}7\n"


@pytest.fixture
def info() -> AssignmentInfo:
    return load(HW, Plugins.installed(), needs_data=False).info


@pytest.fixture
def graded(harness: Harness, tmp_path: Path, info: AssignmentInfo) -> Harness:
    kept = {
        "alice": weights(tmp_path, 1),
        "bob": weights(tmp_path, 2),
        "eve\x1b[2J": weights(tmp_path, 1, 0.01),
        "carol": None,
    }
    with closing(Store.open(STORE)) as store:
        for name, data in kept.items():
            text = "def bob(x):\n    return x\n" if name == "bob" else code(f"layer_{name[0]}", f"out_{name[0]}")
            handed_in = sources.packed({"model.py": f"import torch\n\n{text}"})
            store.add(info, ENVIRONMENT, result(name, predictions=(1, 2, 3)), data, sources=handed_in)
        store.add(info, ENVIRONMENT, result("mallory", status="crashed", reason="it crashed"))
    return harness


def test_pairs_are_listed_with_a_paragraph(graded: Harness) -> None:
    run = graded("similarity", HW)
    assert run.exit_code == 0, run.output
    text = " ".join(run.stdout.split())
    assert "'alice' and 'eve' resemble each other by 1.00" in text
    assert "3 submissions; 3 of their pairs" in text
    assert "weights not compared, none kept: carol" in text
    assert "ask both how they trained" in text
    assert "'carol' and 'eve' have 100 % of the smaller one's functions and classes in common" in text
    assert "ask both where the code comes from" in text
    assert "    def __init__(self):" in run.stdout
    assert "carol: model.py 3-21" in run.stdout
    assert "bob" not in text
    assert "\x1b" not in run.stdout


def test_json_is_all_that_goes_to_stdout(graded: Harness) -> None:
    run = graded("similarity", HW, "--json", "-")
    report = ClassReport.model_validate_json(run.stdout)
    both, *rest = report.comparisons["similarity"].findings
    assert both.submissions == ("alice", "eve\x1b[2J")
    assert both.evidence["found"] == "in place, code"
    assert both.evidence["common code"] == 1
    assert (both.passages[0].one.first_line, both.passages[0].one.last_line) == (3, 21)
    assert [(each.submissions, each.evidence["found"]) for each in rest] == [
        (("alice", "carol"), "code"),
        (("carol", "eve\x1b[2J"), "code"),
    ]
    assert report.compared == ("alice", "bob", "carol", "eve\x1b[2J")
    assert report.not_kept == ("carol",)
    assert run.stdout.isascii()
    assert graded("similarity", HW, "--json", "list.json").exit_code == 0
    assert json.loads(Path("list.json").read_text(encoding="utf-8")) == json.loads(run.stdout)


def test_a_page_goes_to_a_file_or_to_stdout_and_names_the_finding(graded: Harness) -> None:
    run = graded("similarity", HW, "--format", "html", "--out", "similarity.html")
    assert run.exit_code == 0, run.output
    page = Path("similarity.html").read_text(encoding="utf-8")
    assert graded("similarity", HW, "--format", "html").stdout == page
    assert "resemble each other by 1.00" in page
    # Weights and code are alike in one pair, which comes first.
    assert page.index("in place, code") < page.index("Who is like whom")
    assert "\x1b" not in page


def test_page_and_json_do_not_both_go_to_stdout(graded: Harness) -> None:
    run = graded("similarity", HW, "--format", "html", "--json", "-")
    assert run.exit_code == 2
    assert "name a file with --out" in run.stderr


def test_code_that_was_handed_out_is_no_finding(graded: Harness) -> None:
    Path("starter.py").write_text("import torch\n\n" + code("conv", "x"), encoding="utf-8")
    report = ClassReport.model_validate_json(graded("similarity", HW, "--starter", "starter.py", "--json", "-").stdout)
    (finding,) = report.comparisons["similarity"].findings
    assert finding.evidence["found"] == "in place"
    missing = graded("similarity", HW, "--starter", "nowhere.py")
    assert missing.exit_code == 2
    assert "nowhere.py: no such file" in missing.stderr


def test_a_class_without_kept_weights_is_told_how(harness: Harness, fake: FakeGrading) -> None:
    assert harness("grade", HW, "class").exit_code == 0
    run = harness("similarity", HW)
    assert run.exit_code == 2
    assert "add --fresh" in run.stderr


def test_an_assignment_that_compares_nothing_is_told_how(graded: Harness) -> None:
    run = graded("similarity", "ntu-ml2020-hw7")
    assert run.exit_code == 2
    assert "write [class_evaluators.similarity] into" in run.stderr


def test_what_is_compared_makes_no_result_stale(info: AssignmentInfo, tmp_path: Path) -> None:
    source = load(HW, Plugins.installed(), needs_data=False).source.read_text(encoding="utf-8")
    other = tmp_path / "other.toml"
    other.write_text(source.replace("[class_evaluators.similarity]", "[class_evaluators.similarity]\nmost = 7"))
    changed = load(str(other), Plugins.installed(), needs_data=False)
    assert changed.class_options["similarity"].most == 7
    assert changed.digest == info.digest
