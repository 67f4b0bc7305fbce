"""What a network's own way of loading makes of a file, and what of it is believed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from harness.errors import SubmissionError
from harness.networks.fitting import Fitted, fitted
from harness.networks.session import Answer
from harness.networks.weights import joined
from harness.worker.messages import Adopted, Decoded
from harness.worker.model import Model, Unfitting

IMAGE = (3, 8, 8)


class Attention(nn.Module):
    """Query, key and value in one tensor; older files have three."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.fc = nn.Linear(192, 48), nn.Linear(16, 10)
        self.add_to = 0.0

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        for last in ("weight", "bias"):
            parts = [state_dict.pop(f"{prefix}{each}.{last}", None) for each in "qkv"]
            if parts[0] is not None:
                state_dict[f"{prefix}qkv.{last}"] = torch.cat(parts) + self.add_to
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x.flatten(1)).chunk(3, 1)
        found: Tensor = self.fc(q * k + v)
        return found


def old(module: Attention) -> dict[str, Tensor]:
    state = {name: each.clone() for name, each in module.state_dict().items()}
    for last in ("weight", "bias"):
        state |= dict(zip((f"{each}.{last}" for each in "qkv"), state.pop(f"qkv.{last}").chunk(3), strict=True))
    return state


def fit(module: nn.Module, tensors: dict[str, Tensor], **said: Any) -> Fitted:
    """With the worker's half in this process."""
    model = Model(module, IMAGE)
    decoded = {"format": "torch-zip", "aliases": (), "storage_elements": sum(each.numel() for each in tensors.values())}
    bits = {name: 8 * each.element_size() for name, each in tensors.items()}

    def adopt(versions: Mapping[str, int], sent: Mapping[str, Tensor]) -> Answer[Adopted]:
        try:
            return Answer(Adopted(fits=True), model.adopt(sent, versions))
        except Unfitting as error:
            return Answer(Adopted(fits=False, refused=error.reason), {})

    read = Answer(Decoded.model_validate({**decoded, "bits": bits, **said}), tensors)
    return fitted(read, model.outline(), adopt)


def test_tensors_put_together_by_a_hook_are_the_files() -> None:
    module = Attention()
    half = {name: each.half() for name, each in old(module).items()}
    found = fit(Attention(), half)
    assert found.tensors.keys() == module.state_dict().keys()
    for name, each in module.state_dict().items():
        assert torch.equal(found.tensors[name], each.half())
    assert any("converted" in note for note in found.notes)


def test_numbers_that_are_in_no_file_are_refused() -> None:
    other = Attention()
    other.add_to = 0.5
    with pytest.raises(SubmissionError, match=r"'qkv\.(weight|bias)' has others than the file") as raised:
        fit(other, old(Attention()))
    assert "convert the file once" in str(raised.value.hint)


def test_names_that_no_hook_knows_are_listed() -> None:
    with pytest.raises(SubmissionError, match="the weights do not fit the model") as raised:
        fit(Attention(), {f"x{name}": each for name, each in old(Attention()).items()})
    assert raised.value.status == "rejected"


def test_what_a_hook_says_is_told() -> None:
    class Strict(nn.Linear):
        def _load_from_state_dict(self, *_: Any) -> None:
            raise ValueError("run convert.py first")

    module = nn.Sequential(nn.Flatten(), Strict(192, 10))
    with pytest.raises(SubmissionError, match=r"does not load the weights file: .*run convert.py first"):
        fit(module, {"1.weight": torch.zeros(10, 192), "1.b": torch.zeros(10)})


def test_widths_and_ties_go_by_the_models_names() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(192, 10), nn.Linear(10, 10), nn.Linear(10, 10))
    module[3].weight = module[2].weight
    state = {f"module.{name}": each.detach().clone().half() for name, each in module.state_dict().items()}
    found = fit(module, state, aliases=(("module.1.bias", "module.2.bias"),))
    assert set(found.bits.items()) == {(name.removeprefix("module."), 16) for name in state}
    assert set(found.aliases) == {("1.bias", "2.bias"), ("2.weight", "3.weight")}


def test_what_was_left_out_is_no_padding() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(192, 10))
    state = {f"net.{name}": each.detach() for name, each in module.state_dict().items()}
    assert fit(module, {**state, "teacher.fc.weight": torch.zeros(500, 500)}).storage_elements == 1930


def test_groups_with_a_common_name_are_one() -> None:
    groups = {frozenset(each) for each in joined([("a", "b"), ("c", "d")], [("d", "a"), ("e", "f")])}
    assert groups == {frozenset("abcd"), frozenset("ef")}
