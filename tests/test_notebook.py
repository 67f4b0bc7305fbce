"""`harness.check(...)` on live objects says what the command line says of the same files."""

import importlib.util

import pytest
import torch
import torch.nn.functional as F
from builders import SUBMISSIONS, quick_hw2
from torch import nn

import harness
from harness.assignment import loading as assignment
from harness.errors import UsageError
from harness.grading.grader import grade_all
from harness.plugins import Plugins
from harness.sandbox import choose
from harness.submission.discovery import discover

EXAMPLE = SUBMISSIONS / "nycu-ds2023-hw2" / "fail-wrong-kd"
HW2 = "nycu-ds2023-hw2"


@pytest.fixture(scope="module")
def hw2(tmp_path_factory: pytest.TempPathFactory) -> str:
    """For a thousand images, with all that the shipped one measures."""
    return str(quick_hw2(tmp_path_factory.mktemp("assignment"), evaluators={"integrity": {}}))


@pytest.fixture(autouse=True)
def one_thread():
    """Several test processes with two threads each are many times slower than with one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def no_kl(student_logits, labels, teacher_logits, alpha, T):
    return (1 - alpha) * F.cross_entropy(student_logits, labels)


def kd(student_logits, labels, teacher_logits, alpha, T):
    soft = F.kl_div(F.log_softmax(student_logits / T, 1), F.softmax(teacher_logits / T, 1), reduction="batchmean")
    return alpha * T * T * soft + (1 - alpha) * F.cross_entropy(student_logits, labels)


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3 * 28 * 28, 10)

    def forward(self, x):
        return self.fc(x.flatten(1))


def verdicts(result):
    return {check.name: check.verdict for check in result.checks}


def test_live_objects_and_files_get_the_same_result(capsys, hw2):
    spec = importlib.util.spec_from_file_location("handed_in_model", EXAMPLE / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    live = harness.check(
        model=module.StudentNet, kd_loss=module.loss_fn_kd, weights=EXAMPLE / "weights.pt", assignment=hw2
    )
    assert "the soft term is not multiplied by T²" in capsys.readouterr().out
    plugins = Plugins.installed()
    (graded,) = grade_all(
        assignment.load(hw2, plugins), discover([EXAMPLE]), plugins=plugins, sandbox=choose("none"), jobs=1
    )
    assert (live.status, live.metrics, live.predictions) == ("graded", graded.metrics, graded.predictions)
    files = {name: verdict for name, verdict in verdicts(graded).items() if name != "claims"}
    assert verdicts(live) == files
    assert live.score == graded.score


def test_a_trained_network_is_taken_as_it_is_and_left_alone(hw2):
    torch.manual_seed(0)
    network = Tiny().train()
    before = {name: each.clone() for name, each in network.state_dict().items()}
    result = harness.check(model=network, kd_loss=kd, assignment=hw2, show=False)
    assert result.status == "graded"
    assert verdicts(result)["kd_loss"] == "passed"
    assert result.metrics["parameters"].value == 23_530
    assert network.training
    assert all(torch.equal(each, before[name]) for name, each in network.state_dict().items())
    again = harness.check(model=Tiny, weights=before, kd_loss=kd, assignment=hw2, show=False)
    assert again.predictions == result.predictions


def test_what_is_wrong_is_said(hw2):
    result = harness.check(model=Tiny, kd_loss=no_kl, assignment=hw2, show=False)
    reasons = {check.name: check.reason for check in result.checks}
    assert "soft" in reasons["kd_loss"]
    assert verdicts(harness.check(model=Tiny, assignment=hw2, show=False))["kd_loss"] == "failed"
    scaled = lambda s, y, t, alpha, T: kd(s, y, t, alpha, T) * 1.0  # noqa: E731 - a lambda is the point
    lambdas = harness.check(model=Tiny, assignment=hw2, show=False, kd_loss=scaled)
    assert verdicts(lambdas)["kd_loss"] == "passed"


class Normed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.utils.parametrizations.weight_norm(nn.Linear(3 * 28 * 28, 10))

    def forward(self, x):
        return self.fc(x.flatten(1))


def test_weights_under_older_names_are_fitted_as_those_of_a_file(hw2):
    network = Normed()
    state = nn.Module.state_dict(network)
    older = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    renamed = {f"fc.{older.get(name.removeprefix('fc.'), 'bias')}": each for name, each in state.items()}
    result = harness.check(model=Normed, weights=renamed, kd_loss=kd, assignment=hw2, show=False)
    assert result.status == "graded", result.reason
    assert any("older" in note for note in result.notes)
    same = harness.check(model=network, kd_loss=kd, assignment=hw2, show=False)
    assert same.predictions == result.predictions


def test_networks_that_cannot_be_graded():
    wrong = harness.check(model=nn.Linear(3, 3), assignment=HW2, show=False)
    assert wrong.status == "crashed"
    assert "notebook" not in (wrong.reason or "")
    misfit = harness.check(model=Tiny, weights=nn.Linear(3, 3).state_dict(), assignment=HW2, show=False)
    assert misfit.status == "rejected"
    assert "do not fit" in misfit.reason
    with pytest.raises(UsageError, match="not allowed"):
        harness.check(model=Tiny, assignment=HW2, input_size=99)
    with pytest.raises(UsageError, match="no file"):
        harness.check(model=Tiny, weights="absent.pt", assignment=HW2, show=False)
