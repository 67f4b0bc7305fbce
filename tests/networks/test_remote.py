"""Networks changed in the sandbox: recalibrated, cut, counted, timed; and what is believed of the answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import hand_ins
import pytest
import torch
import torch_pruning
from hand_ins import hand_in, sandbox_called, small_assignment
from torch import nn
from torch.optim.swa_utils import update_bn

from harness.data.images import load_examples
from harness.errors import SubmissionError
from harness.networks.remote import checked_cut
from harness.networks.student import SandboxedStudent

pytestmark = pytest.mark.sandbox
torch.set_num_threads(1)

NET = """
import os
import torch
from torch import nn

class StudentNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.bn = nn.BatchNorm2d(8)
        self.fc = nn.Linear(288, 4)

    def forward(self, x):
        if self.fc.bias[0] > 1000:
            os._exit(7)
        return self.fc(torch.relu(self.bn(self.conv(x))).flatten(1))
"""


def made(source: str = NET) -> nn.Module:
    scope: dict[str, Any] = {}
    exec(source, scope)
    torch.manual_seed(0)
    module = scope["StudentNet"]()
    nn.init.normal_(module.bn.weight)
    return module.eval()


@contextmanager
def opened(folder: Path, source: str = NET, sandbox: str = "bwrap") -> Iterator[tuple[SandboxedStudent, Any]]:
    assignment = small_assignment(folder / "assignment")
    path = hand_in(folder / "one", source, made().state_dict())
    examples = load_examples(assignment, "test", 8, hand_ins.PLUGINS.datasets)
    with hand_ins.opened(path, assignment, sandbox_called(sandbox)) as student:
        yield student, examples.images


@pytest.fixture(scope="module")
def asked(tmp_path_factory) -> Iterator[tuple[SandboxedStudent, Any]]:
    with opened(tmp_path_factory.mktemp("networks")) as both:
        yield both


def inputs(images: Any) -> torch.Tensor:
    return (images.pixels.float() / 255 - 0.5) / 0.5


def test_recalibration_changes_statistics_only(asked):
    student, images = asked
    module = made()
    update_bn([inputs(images)], module)  # 40 images are one batch
    found = student.recalibrated(images)
    assert found.keys() == student.weights.keys()
    for name, each in found.items():
        torch.testing.assert_close(each, module.state_dict()[name], rtol=1e-4, atol=1e-5)
        assert torch.equal(each, student.weights[name]) == (not name.startswith("bn.running") and "batches" not in name)
    with torch.inference_mode():
        torch.testing.assert_close(student.logits(images, found), module.eval()(inputs(images)), rtol=1e-4, atol=1e-4)


def cut(keep: float) -> nn.Module:
    module = made()
    importance = torch_pruning.importance.MagnitudeImportance(p=1)
    torch_pruning.pruner.BasePruner(
        module, torch.zeros(1, 3, 8, 8), importance, pruning_ratio=1 - keep, ignored_layers=[module.fc],
        in_channel_groups={}, out_channel_groups={},
    ).step()  # fmt: skip
    return module.eval()


def test_channels_go_as_torch_pruning_says(asked):
    student, images = asked
    before = student.logits(images)
    half, module = student.without_channels("l1", 0.5), cut(0.5)
    assert {name: each.shape for name, each in half.weights.items()} == {
        name: each.shape for name, each in module.state_dict().items()
    }
    with torch.inference_mode():
        torch.testing.assert_close(half.logits(images), module(inputs(images)), rtol=1e-4, atol=1e-4)
    assert torch.equal(student.logits(images), before)  # the student's own network is what it was
    assert (student.macs(), half.macs()) == (36 * 8 * 27 + 288 * 4, 36 * 4 * 27 + 144 * 4)
    assert half.latency(batch_size=2, seconds=0.01).median > 0


def test_gamma_keeps_the_largest_signed_scales(asked):
    student, _ = asked
    scales = student.weights["bn.weight"]
    kept = student.without_channels("gamma", 0.25).weights["bn.weight"]
    assert sorted(kept.tolist()) == sorted(scales.tolist())[-2:]


def test_two_variants_take_turns(asked):
    student, images = asked
    one, other = student.without_channels("l1", 0.5), student.without_channels("l1", 0.75)
    first = one.logits(images), other.logits(images)
    assert torch.equal(one.logits(images), first[0])
    assert torch.equal(other.logits(images), first[1])
    doubled = {name: each * 2 if name.startswith("fc") else each for name, each in one.weights.items()}
    torch.testing.assert_close(one.logits(images, doubled), 2 * first[0])
    assert one.recalibrated(images)["bn.running_mean"].shape == (4,)


def test_a_variant_outlives_its_worker(asked):
    student, images = asked
    half = student.without_channels("l1", 0.5)
    before = half.logits(images)
    with pytest.raises(SubmissionError, match="exit code 7"):
        half.logits(images, {**half.weights, "fc.bias": torch.full((4,), 1e6)})
    assert torch.equal(half.logits(images), before)


def test_what_cannot_be_cut_is_said_and_stops_nothing(tmp_path):
    source = NET.replace(".flatten(1)", ".view(-1, 288)")
    with opened(tmp_path, source, "none") as (student, images):
        with pytest.raises(SubmissionError, match="does not run with fewer channels"):
            student.without_channels("l1", 0.5)
        assert student.logits(images).shape == (40, 4)


@pytest.mark.parametrize("name", ["macs", "median", "tensors"])
def test_lies_are_the_submissions_failure(tmp_path, name):
    """The worker is in the student's hands: here its answers are replaced by nonsense."""
    lies = {
        "macs": "cost.macs = lambda model: -1; session.Counted = messages.Counted.model_construct",
        "median": "cost.latency = lambda *_: Latency.model_construct(median=-1.0, iqr=0.0)",
        "tensors": "session.recalibrated = lambda *_: {'fc.weight': torch.zeros(4, 288)}",
    }[name]
    lying = f"super().__init__()\n        from harness.values.networks import Latency\n        from harness.worker import cost, messages, session\n        {lies}"
    with opened(tmp_path, NET.replace("super().__init__()", lying), "none") as (student, images):
        ask = {
            "macs": student.macs,
            "median": lambda: student.latency(batch_size=1, seconds=0.01),
            "tensors": lambda: student.recalibrated(images),
        }
        with pytest.raises(SubmissionError, match="wrote over its own answers") as caught:
            ask[name]()
    assert caught.value.status == "crashed"


def test_a_cut_holds_what_was_sent_and_nothing_else():
    sent = {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor(3)}
    good = {"a": torch.tensor([[0.0, 2.0]]), "b": torch.tensor(3)}
    assert torch.equal(checked_cut(good, sent)["a"], good["a"])
    precise = {"a": torch.tensor([0.1, 0.2], dtype=torch.float64)}
    assert checked_cut({"a": precise["a"][:1].float()}, precise)["a"].dtype == torch.float32
    wrong: list[dict[str, torch.Tensor]] = [
        {"b": good["b"]},
        {**good, "a": torch.tensor([[0.0, 7.0]])},
        {**good, "a": torch.zeros(3, 1)},
        {**good, "a": torch.zeros(2)},
        {**good, "a": torch.tensor([[float("nan")]])},
        {**good, "c": torch.zeros(1)},
    ]
    for each in wrong:
        with pytest.raises(SubmissionError, match="wrote over"):
            checked_cut(deepcopy(each), sent)
