"""Outcomes that are no wrong formula get their own words, and nothing a worker says can do more than fail."""

from types import SimpleNamespace

import pytest
import torch
from harness_kd.check import KDLoss, KDLossOptions
from kd_fakes import FakeStudent, check, context
from kd_torch import CE, KL, RIGHT, function

from harness.api import Reply
from harness.errors import SubmissionError

LOSS = f"alpha * T**2 * {KL} + (1 - alpha) * {CE}"

SPECIAL = {
    "none": (f"loss = {LOSS}", "returns None", "return loss"),
    "vector": (f"return {LOSS} + 0 * outputs.sum(1)", "shape [7]", "reduce each term"),
    "reduction none": (
        f"return {LOSS.replace('batchmean', 'none')}", "shape [7, 10]", "batchmean"),
    "item": (f"return ({LOSS}).item()", "returns a float, not a tensor", ".item()"),
    "item of a wrong one": (f"return (alpha * {KL} + (1 - alpha) * {CE}).item()", "not multiplied by T²", ".item()"),
    "numpy": (f"return ({LOSS}).detach().numpy()", "returns a ndarray", ".numpy()"),
    "detached": (f"return ({LOSS}).detach()", "detached", ".detach()"),
    "no_grad": (f"with torch.no_grad(): return {LOSS}", "detached", "no_grad"),
    "new tensor": (f"return torch.tensor(({LOSS}).item(), requires_grad=True)", "detached", "torch.tensor"),
    "soft half detached": (
        f"return alpha * T**2 * {KL}.detach() + (1 - alpha) * {CE}", "the soft half has none", ".detach()"),
    "hard half detached": (
        f"return alpha * T**2 * {KL} + (1 - alpha) * {CE}.detach()", "the hard half has none", ".detach()"),
    "backward inside": (f"loss = {LOSS}; loss.backward(); return loss", "gradient fails", "backward()"),
    "mutates student": (
        f"loss = {LOSS}; outputs.data.mul_(2); return loss", "in place (student)", "s = s / T"),
    "mutates teacher": (
        f"teacher_outputs /= T; return {LOSS.replace('teacher_outputs / T', 'teacher_outputs')}",
        "in place (teacher)", "s = s / T"),
    "dropout": (f"outputs = F.dropout(outputs); return {LOSS}", "a second call", "randomness"),
    "state": (
        f"loss_fn_kd.n = getattr(loss_fn_kd, 'n', 0) + 1; return ({LOSS}) * (1 + loss_fn_kd.n % 2)",
        "a second call", "nothing between calls"),
    "raises": ("return outputs @ labels", "at kd.py line 7: `return outputs @ labels`", "[7, 10]"),
    "exits": ("raise SystemExit(3)", "SystemExit: 3", "random logits"),
    "one-hot": (
        f"return alpha * T**2 * {KL} - (1 - alpha) * (labels * F.log_softmax(outputs, 1)).sum(1).mean()",
        "needs one-hot labels, with which it is right", "class indices"),
    "unknown factor": (
        f"return 1.234 * alpha * {KL} + (1 - alpha) * {CE}",
        "0.3702 at α=0.3, T=4, where α·T² = 4.8 belongs", "α·T²"),
    "unknown hard term": (
        f"return alpha * T**2 * {KL} + (1 - alpha) * {CE} * (1 + labels.float().mean())",
        "the soft half (α=1) is right", "half that differs"),
    "unknown soft term": (
        f"return alpha * T**2 * {KL}**1.5 + (1 - alpha) * {CE}",
        "the hard half (α=0) is right", "half that differs"),
    "special case": (f"alpha = alpha or 0.5; return {LOSS}", "α=0, T=4", "special case"),
}  # fmt: skip


@pytest.mark.parametrize("name", SPECIAL)
def test_special_outcomes_have_their_own_words(name):
    body, reason, hint = SPECIAL[name]
    found = check(function(body))
    assert found.verdict == "failed"
    assert reason in found.reason, found.reason
    assert hint in found.hint, found.hint


def test_a_function_of_models_is_not_accused():
    found = check(function("return outputs(labels)"))
    assert found.verdict == "could_not_check"
    assert "not callable" in found.reason
    assert "not models" in found.hint


def test_one_hot_labels_can_be_accepted():
    assert check(function(SPECIAL["one-hot"][0]), accept=("one_hot_labels",)).verdict == "passed"


def test_line_and_binding_are_reported():
    found = check(function(f"soft = {KL}\n    return alpha * soft + (1 - alpha) * {CE}"))
    assert "`loss_fn_kd` (kd.py line 6)" in found.reason
    assert "student=outputs, labels=labels, teacher=teacher_outputs" in found.reason
    assert "α through parameter alpha, T through parameter T" in found.reason
    assert "(line 7: `soft = F.kl_div(" in found.hint


def test_missing_function():
    found = check("def train(model): return model\n")
    assert found.verdict == "failed"
    assert "`loss_fn_kd`" in found.reason
    assert "function train" in found.reason
    assert check("def train(model): return model\n", required=False) is None


def test_unbindable_function_says_what_was_found():
    found = check("def loss_fn_kd(images, model): return F.softmax(model(images), 1)\n")
    assert found.verdict == "could_not_check"
    assert "(images, model)" in found.reason
    assert "teacher logits" in found.hint


def test_function_that_cannot_be_loaded():
    found = check("import no_such_module_at_all\n" + RIGHT["kl_div"])
    assert found.verdict == "failed"
    assert "No module named 'no_such_module_at_all'" in found.reason


@pytest.mark.parametrize("status", ["rejected", "crashed", "timed_out", "out_of_memory"])
def test_a_worker_that_fails_is_a_failed_check(status):
    class Failing:
        facts = SimpleNamespace(source="model.py line 1")

        def ask(self, *_, **__):
            raise SubmissionError(status, "line 3: boom")

    found = check(Failing())
    assert found.verdict == "failed"
    assert "line 3: boom" in found.reason


class Lying(FakeStudent):
    """A right function beside a worker that changes the reply."""

    def __init__(self, change, text=RIGHT["kl_div"]):
        super().__init__(text)
        self.change = change

    def ask(self, *arguments, **named):
        reply = super().ask(*arguments, **named)
        return self.change(reply) or reply


def every_tensor(change):
    def lie(reply):
        return Reply(reply.facts, {name: change(tensor) for name, tensor in reply.tensors.items()})

    return lie


def every_outcome(**said):
    def lie(reply):
        for outcome in reply.facts["attempts"][0]["outcomes"].values():
            outcome.update(said)

    return lie


LIES = {
    "nothing": lambda reply: Reply({}, {}),
    "no tensors": lambda reply: Reply(reply.facts, {}),
    "attempts is a number": lambda reply: Reply({**reply.facts, "attempts": 3}, {}),
    "attempts of text": lambda reply: Reply({**reply.facts, "attempts": ["yes", None]}, {}),
    "outcomes is a list": lambda reply: Reply({"attempts": [{"outcomes": [1]}]}, {}),
    "unknown kind": every_outcome(kind="excellent"),
    "NaN": every_tensor(lambda tensor: tensor * torch.nan),
    "infinite": every_tensor(lambda tensor: tensor + torch.inf),
    "float16": every_tensor(lambda tensor: tensor.half()),
    "complex": every_tensor(lambda tensor: tensor.to(torch.complex128)),
    "vector": every_tensor(lambda tensor: torch.stack([tensor, tensor])),
    "empty": every_tensor(lambda tensor: torch.empty(0, dtype=torch.float64)),
    "zero": every_tensor(torch.zeros_like),
    "missing is text": lambda reply: Reply({"missing": "\x1b[2J" * 100}, {}),
    "unusable is a list": lambda reply: Reply({"unusable": [1], "function": "f"}, {}),
    "raises an odd text": every_outcome(kind="raised", error={"a": 1}),
    "function is odd": lambda reply: Reply(
        {"function": {"name": 3, "line": "x", "code": [["a", 1], 5]}, "attempts": [{}]}, {}
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lying_worker_can_only_fail(lie):
    found = check(Lying(LIES[lie]))
    assert found.verdict == "failed"
    assert found.reason.isprintable()
    assert len(found.reason) < 2000


def test_control_characters_of_a_submission_are_not_printed():
    found = check(function("raise ValueError('\\x1b[2J' + 'x' * 5000)"))
    assert found.reason.isprintable()
    assert len(found.reason) < 2000


def test_a_patched_torch_decides_only_its_own_verdict():
    before = torch.nn.functional.kl_div
    text = "F.kl_div = lambda *a, **k: torch.zeros((), requires_grad=True)\n" + RIGHT["kl_div"]
    try:
        assert check(text).verdict == "failed"
    finally:
        torch.nn.functional.kl_div = before
    assert check(RIGHT["kl_div"]).verdict == "passed"


def test_evaluator_describes_itself():
    evaluator = KDLoss()
    assert evaluator.name == "kd_loss"
    assert [spec.name for spec in evaluator.checks] == ["kd_loss"]
    assert evaluator.Options is KDLossOptions
    evaluation = evaluator.evaluate(FakeStudent(RIGHT["kl_div"]), context())
    assert [each.name for each in evaluation.checks] == ["kd_loss"]
