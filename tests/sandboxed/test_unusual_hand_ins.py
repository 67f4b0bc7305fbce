"""Honest hand-ins that once were graded wrongly, and lies that once were believed; graded for real."""

import textwrap

import pytest
import torch
from builders import quick_hw2
from hand_ins import PLUGINS, graded, sandbox_called

from harness.assignment.loading import load

HEAD = """
import torch
import torch.nn as nn
import torch.nn.functional as F
"""
NET = """
class StudentNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3 * 28 * 28, 10)

    def forward(self, x):
        return self.fc(x.flatten(1))
"""
KD = """
def loss_fn_kd(s, y, t, alpha, T):
    soft = F.kl_div(F.log_softmax(s / T, 1), F.softmax(t / T, 1), reduction="batchmean")
    return alpha * T * T * soft + (1 - alpha) * F.cross_entropy(s, y)
"""
WRONG = KD.replace("alpha * T * T", "alpha")
LINEAR = {"fc.weight": torch.zeros(10, 2352), "fc.bias": torch.arange(10.0)}
PARAMETERS = 23_530


def liar(told: int) -> str:
    return textwrap.dedent(f"""
        import torchinfo
        class Told:
            total_params = {told}
            total_mult_adds = 0
            summary_list = ()
        class StudentNet(nn.Module):
            def __init__(self):
                super().__init__()
                torchinfo.summary = lambda *args, **kwargs: Told
                self.fc = nn.Linear(3 * 28 * 28, 10)
            def forward(self, x):
                return self.fc(x.flatten(1))
        """)


EATER = """
import threading, time
def eat():
    time.sleep(0.3)
    kept = bytearray(1_200_000_000)
    time.sleep(60)
class StudentNet(nn.Module):
    def __init__(self):
        super().__init__()
        threading.Thread(target=eat, daemon=True).start()
        self.fc = nn.Linear(3 * 28 * 28, 10)
    def forward(self, x):
        time.sleep(2)  # so that the process is still there when it has eaten
        return self.fc(x.flatten(1))
"""

# name: (files, weights, status, verdict of kd_loss, a phrase of any reason, hint or note if there must be one)
HAND_INS = {
    "torchvision": (
        {"model.py": f"{HEAD}from torchvision.ops import Conv2dNormActivation as Block\n{NET}{KD}"},
        LINEAR, "graded", "passed", "agree",
    ),
    "torchvision-model": (
        {"model.py": f"{HEAD}import torchvision.models as models\n{KD}\n"
            "def get_student_model():\n    return models.squeezenet1_1(num_classes=10).classifier[:0].append(nn.Flatten()).append(nn.Linear(2352, 10))\n"},
        {"1.weight": LINEAR["fc.weight"], "1.bias": LINEAR["fc.bias"]}, "graded", "passed", "agree",
    ),
    "compiled": (
        {"model.py": f"{HEAD}{NET}{KD}\ndef get_student_model():\n    return torch.compile(StudentNet())\n",
         "submission.toml": 'entry_point = "get_student_model"'},
        LINEAR, "graded", "passed", "agree",
    ),
    "loss-beside-the-network": (
        {"model.py": HEAD + NET + KD, "old/train.py": HEAD + WRONG},
        LINEAR, "graded", "passed", "also defined in old/train.py",
    ),
    "loss-in-two-other-files": (
        {"net.py": HEAD + NET, "a.py": HEAD + KD, "b.py": HEAD + WRONG},
        LINEAR, "graded", "could_not_check", 'kd_function = "a.py:loss_fn_kd"',
    ),
    "loss-that-runs-the-networks": (
        {"model.py": f"{HEAD}{NET}\ndef loss_fn_kd(student, teacher, x, labels, T, alpha):\n    return student(x)\n"},
        LINEAR, "graded", "could_not_check", "cannot be called",
    ),
    "one-channel": (
        {"model.py": f"{HEAD}{KD}" + NET.replace("nn.Linear(3 * 28 * 28, 10)", "nn.Conv2d(1, 10, 28)").replace(
            "x.flatten(1)", "x").replace("self.fc(x)", "self.fc(x).flatten(1)")},
        {"fc.weight": torch.zeros(10, 1, 28, 28), "fc.bias": torch.zeros(10)},
        "crashed", "passed", "the first layer must take 3, not 1",
    ),
    "told-one": ({"model.py": HEAD + liar(1) + KD}, LINEAR, "graded", "passed", "torchinfo does not see every parameter"),
    "told-less-than-nothing": ({"model.py": HEAD + liar(-5) + KD}, LINEAR, "graded", "passed", None),
    "eats-between-requests": ({"model.py": HEAD + EATER + KD},
        LINEAR, "out_of_memory", None, "of memory"),
}  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("class")
    for name, (files, weights, *_) in HAND_INS.items():
        for path, text in files.items():
            (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / name / path).write_text(text)
        torch.save(weights, folder / name / "weights.pt")
    file = quick_hw2(tmp_path_factory.mktemp("assignment"), limits={"memory_bytes": 1_000_000_000})
    assignment = load(str(file), PLUGINS)
    return graded(assignment, [folder / name for name in HAND_INS], sandbox_called("auto"))


@pytest.mark.parametrize("name", HAND_INS)
def test_outcome(results, name):
    _, _, status, verdict, phrase = HAND_INS[name]
    result = results[name]
    assert result.status == status, result.reason
    checks = {check.name: check for check in result.checks}
    if verdict is not None:
        assert checks["kd_loss"].verdict == verdict, checks["kd_loss"].reason
    said = [result.reason, result.hint, *result.notes]
    said += [text for check in result.checks for text in (check.reason, check.hint)]
    assert phrase is None or any(phrase in text for text in said if text), said


def test_a_lie_about_the_count_gains_nothing(results):
    assert results["told-one"].metrics["parameters"].value == PARAMETERS
