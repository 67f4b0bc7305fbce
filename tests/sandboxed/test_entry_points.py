"""Which network is graded where names leave it open: the weights decide, or the refusal says the line that would."""

from __future__ import annotations

import sys
import textwrap
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import limits, noise, write_assignment, write_idx
from hand_ins import PLUGINS, graded, opened, sandbox_called
from torch import nn

from harness.assignment.loading import load
from harness.data.images import load_examples
from harness.errors import SubmissionError
from harness.values.results import Result

pytestmark = pytest.mark.sandbox
torch.set_num_threads(1)

HEAD = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n"


def net(name: str, width: str = "16", arguments: str = "") -> str:
    return textwrap.dedent(f"""
        class {name}(nn.Module):
            def __init__(self{arguments}):
                super().__init__()
                self.act = F.relu
                self.conv = nn.Conv2d(3, {width}, 3)
                self.fc = nn.Linear({width}, 4)
            def forward(self, x):
                return self.fc(self.act(self.conv(x)).mean((2, 3)))
        """)


def linear(name: str) -> str:
    return textwrap.dedent(f"""
        class {name}(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(192, 4)
            def forward(self, x):
                return self.fc(x.flatten(1))
        """)


def state(width: int = 16, prefix: str = "") -> dict[str, Any]:
    torch.manual_seed(width)
    module = nn.ModuleDict({"conv": nn.Conv2d(3, width, 3), "fc": nn.Linear(width, 4)})
    return {prefix + name: each for name, each in module.state_dict().items()}


def pickled(
    source: str, name: str = "StudentNet", module: str = "model", wrap: Callable[[Any], Any] = lambda each: each
) -> Callable[[Path], None]:
    """Writes a whole module of that class, pruned to five channels by hand."""

    def write(path: Path) -> None:
        home = types.ModuleType(module)
        sys.modules[module], before = home, sys.modules.get(module)
        try:
            exec(HEAD + source, vars(home))
            made = vars(home)[name]()
            made.conv, made.fc = nn.Conv2d(3, 5, 3), nn.Linear(5, 4)
            torch.save(wrap(made), path)
        finally:
            del sys.modules[module]
            if before is not None:
                sys.modules[module] = before

    return write


LOSS = """
class DistillKL(nn.Module):
    def __init__(self, T=4):
        super().__init__()
        self.T = T
    def forward(self, s, t):
        return F.kl_div(F.log_softmax(s / self.T, 1), F.softmax(t / self.T, 1), reduction="batchmean")
"""
FACTORY = "def get_student_model():\n    return Small()\n"
FIVE = 5 * 3 * 9 + 5 + 5 * 4 + 4
SIXTEEN = 16 * 3 * 9 + 16 + 16 * 4 + 4

# name -> (files, weights, status, parameters, phrases of what is said, phrases that are not)
CASES: dict[str, tuple[dict[str, str], Any, str, int | None, tuple[str, ...], tuple[str, ...]]] = {
    "the-second-entry-point": (
        {"model.py": linear("StudentNet") + net("Small") + FACTORY}, state(), "graded", SIXTEEN,
        ("get_student_model (model.py line 20) was taken as the network: the weights fit it, and they do not fit StudentNet (model.py line 5)",), (),
    ),
    "the-second-where-the-first-crashes": (
        {"model.py": "class StudentNet(nn.Module):\n    def __init__(self):\n        raise OSError\n" + net("Small") + FACTORY},
        state(), "graded", SIXTEEN, ("get_student_model (model.py line 16) was taken as the network: the weights fit it; otherwise: OSError at model.py line 6",), (),
    ),
    "the-second-where-the-first-needs-arguments": (
        {"model.py": net("StudentNet", "width", ", width") + "def get_student_model():\n    return StudentNet(16)\n"},
        state(), "graded", SIXTEEN, ("get_student_model",), (),
    ),
    "the-first-stays": (
        {"model.py": net("StudentNet") + linear("Small") + FACTORY}, state(), "graded", SIXTEEN, (), ("was taken as",),
    ),
    "two-files-one-fits": (
        {"model.py": net("StudentNet"), "old.py": linear("StudentNet")}, state(), "graded", SIXTEEN,
        ("StudentNet (model.py line 5) was taken as the network: the weights fit it, and they do not fit StudentNet (old.py line 5)",), (),
    ),
    "two-files-both-fit": (
        {"model.py": net("StudentNet"), "old.py": net("StudentNet").replace("F.relu", "F.gelu")}, state(), "rejected", None,
        ('entry_point = "model.py:StudentNet"', 'entry_point = "old.py:StudentNet"'), (),
    ),
    "two-files-one-text-with-other-helpers": (
        {"a.py": "W = 8\n" + net("StudentNet", "W"), "b.py": "W = 16\n" + net("StudentNet", "W")}, state(), "graded", SIXTEEN,
        ("StudentNet (b.py line 6) was taken", "a.py line 6"), (),
    ),
    "three-files-two-the-same": (
        {"a.py": net("StudentNet"), "b.py": "# a copy\n" + net("StudentNet"), "old.py": linear("StudentNet")}, state(),
        "graded", SIXTEEN, ("StudentNet (a.py line 5) was taken", "old.py line 5"), ("b.py",),
    ),
    "imported-under-the-name": (
        {"nets.py": net("Small"), "hw.py": "from nets import Small as get_student_model\n" + linear("StudentNet")}, state(),
        "graded", SIXTEEN, ("get_student_model (hw.py", "was taken"), (),
    ),
    "a-lambda": (
        {"model.py": linear("StudentNet") + net("Small") + "get_student_model = lambda: Small()\n"}, state(),
        "graded", SIXTEEN, ("get_student_model (model.py line 20) was taken",), (),
    ),
    "a-leftover-import": (
        {"model.py": net("Small") + FACTORY, "a_train.py": "from old import StudentNet\nnet = StudentNet()\n"}, state(),
        "graded", SIXTEEN, (), ("was taken as",),
    ),
    "two-names-neither-fits": (
        {"model.py": linear("StudentNet") + net("Small", "8") + FACTORY}, state(), "rejected", None, ("differences",), ("this was tried",),
    ),
    "a-tuple": (
        {"model.py": net("Net") + "def get_student_model():\n    net = Net()\n    return net, nn.CrossEntropyLoss()\n"},
        state(), "graded", SIXTEEN, ("get_student_model returned a tuple; the Net in it was taken",), (),
    ),
    "a-tuple-with-the-optimizer": (
        {"model.py": net("Net") + "def get_student_model():\n    net = Net()\n    return net, torch.optim.SGD(net.parameters(), 0.1), None\n"},
        state(), "graded", SIXTEEN, ("returned a tuple",), (),
    ),
    "a-tuple-with-the-teacher": (
        {"model.py": net("Net") + linear("Teacher") + "def get_student_model():\n    return Net(), Teacher()\n"},
        state(), "rejected", None, ("2 networks: Net and Teacher",), (),
    ),
    "width": (
        {"model.py": net("StudentNet", "width", ", width=8")}, state(12), "rejected", None,
        ("this was tried and fits the weights: StudentNet(width=12) (model.py line 5). Write into", "model_arguments = { width = 12 }"), ("entry_point =",),
    ),
    "width-and-module-prefix": (
        {"model.py": net("StudentNet", "2 * base", ", base=4")}, state(12, "module."), "rejected", None,
        ("model_arguments = { base = 6 }",), (),
    ),
    "width-of-the-factory": (
        {"model.py": net("Small", "w", ", w=4") + "def get_student_model(w=4):\n    return Small(w)\n"}, state(12), "rejected", None,
        ('entry_point = "get_student_model" and, in the next line, model_arguments = { w = 12 }',), (),
    ),
    "width-without-default": (
        {"model.py": net("StudentNet", "width", ", width")}, state(12), "rejected", None,
        ("cannot be called", "model_arguments = { width = 12 }"), ("{ … }",),
    ),
    "misspelt": (
        {"model.py": net("StudenNet")}, state(), "rejected", None,
        ("did you mean StudenNet (model.py line 5)? Rename the class to StudentNet", "The weights fit it"), (),
    ),
    "another-name-fits": (
        {"model.py": linear("Teacher") + net("Mine") + LOSS}, state(), "rejected", None,
        ('entry_point = "Mine"',), ('"Teacher"', '"DistillKL"'),
    ),
    "another-name-needs-arguments": (
        {"model.py": linear("Teacher") + net("Mine", "width", ", width") + LOSS}, state(12), "rejected", None,
        ('entry_point = "Mine" and, in the next line, model_arguments = { width = 12 }',), ('"Teacher"',),
    ),
    "an-instance-fits": (
        {"model.py": net("Mine", "a + b", ", a, b=10", ) + "student = Mine(6)\nprint(1/0)\n"}, state(), "rejected", None,
        ('entry_point = "student"',), (),
    ),
    "nothing-fits": (
        {"model.py": linear("Teacher") + net("Mine", "4 * len(torch.zeros(3))") + LOSS}, state(), "rejected", None,
        ("fits nothing that these sources can make", "closest is Mine"), ("entry_point =",),
    ),
    "training-is-not-called": (
        {"model.py": net("Mine") + "def main():\n    net = Mine()\n    while True:\n        F.mse_loss(net(1), 1).backward()\n    return net\n"},
        state(), "rejected", None, ('entry_point = "Mine"',), ("time",),
    ),
    "pruned": ({"model.py": net("StudentNet")}, pickled(net("StudentNet")), "graded", FIVE,
        ("the network is the module that weights.pt holds, a pickled StudentNet (model.py line 5)",), ()),
    "pruned-in-a-checkpoint": (
        {"hw.py": net("StudentNet")},
        pickled(net("StudentNet"), module="nowhere", wrap=lambda each: {"epoch": 3, "model": each}), "graded", FIVE, ("a pickled StudentNet",), (),
    ),
    "pruned-of-another-name": ({"model.py": net("Mine")}, pickled(net("Mine"), "Mine"), "graded", FIVE,
        ("a pickled Mine (model.py line 5): StudentNet or get_student_model is not defined",), ()),
    "pruned-in-parallel": ({"model.py": net("StudentNet")},
        pickled(net("StudentNet"), wrap=nn.DataParallel), "graded", FIVE, ("a pickled StudentNet",), ()),
    "pruned-of-an-absent-class": ({"model.py": linear("StudentNet")}, pickled(net("Gone"), "Gone"), "rejected", None, ("differences",), ()),
    "pasted-without-imports": ({"model.py": None, "bare.py": net("StudentNet")}, state(), "graded", SIXTEEN, ("bare.py uses nn",), ()),
}  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    folder = tmp_path_factory.mktemp("class")
    for name, (files, weights, *_) in CASES.items():
        (folder / name).mkdir()
        for path, text in files.items():
            if text is not None:
                (folder / name / path).write_text(text if path == "bare.py" else HEAD + text)
        file = folder / name / "weights.pt"
        weights(file) if callable(weights) else torch.save(weights, file)
    place = tmp_path_factory.mktemp("assignment")
    write_idx(place / "data", *noise(40))
    path = write_assignment(
        place,
        submission={"entry_points": ["StudentNet", "get_student_model"], "input_sizes": [8]},
        evaluators={"accuracy": {}, "parameter_limit": {}},
        limits=limits(60),
    )
    return graded(load(str(path), PLUGINS), [folder / name for name in CASES], sandbox_called("auto"))


@pytest.mark.parametrize("name", CASES)
def test_the_weights_decide_or_the_line_is_said(name: str, results: dict[str, Result]) -> None:
    _, _, status, parameters, phrases, others = CASES[name]
    result = results[name]
    said = "\n".join([str(result.reason), str(result.hint), *result.notes])
    assert result.status == status, said
    if parameters is not None:
        assert result.metrics["parameters"].value == parameters
    assert [each for each in phrases if each not in said] == [], said
    assert [each for each in others if each in said] == [], said


def test_a_further_file_may_hold_a_pruned_module(tmp_path: Path) -> None:
    write_idx(tmp_path / "data", *noise(40))
    assignment = load(str(write_assignment(tmp_path, limits=limits(60))), PLUGINS)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "model.py").write_text(HEAD + net("StudentNet"))
    (folder / "submission.toml").write_text('weights = "w.pt"\n[methods]\npruned = "pruned.pth"\n')
    torch.save(state(), folder / "w.pt")
    pickled(net("StudentNet"))(folder / "pruned.pth")
    with opened(folder, assignment, sandbox_called("auto")) as student:
        assert student.facts.state["conv.weight"] == (16, 3, 3, 3)
        network = student.load(student.methods["pruned"])
        assert network.facts.state["conv.weight"] == (5, 3, 3, 3)
        assert sum(each.numel() for each in network.decoded.values()) == FIVE
    torch.save({"conv.weight": torch.zeros(5, 3, 3, 3)}, folder / "pruned.pth")
    opening = opened(folder, assignment, sandbox_called("auto"))
    with opening as student, pytest.raises(SubmissionError, match="do not fit the model"):
        student.load(student.methods["pruned"])


def test_a_second_process_builds_what_was_chosen(tmp_path: Path) -> None:
    write_idx(tmp_path / "data", *noise(40))
    assignment = load(str(write_assignment(tmp_path, limits=limits(60))), PLUGINS)
    images = load_examples(assignment, "test", 8, PLUGINS.datasets).images
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "model.py").write_text(HEAD + net("StudentNet"))
    pickled(net("StudentNet"))(folder / "best.pth")
    with opened(folder, assignment, sandbox_called("auto")) as student, student.again() as other:
        torch.testing.assert_close(student.logits(images), other.logits(images))
        assert student.verification.verified
