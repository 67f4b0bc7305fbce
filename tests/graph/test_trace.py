"""Honest networks become graphs that compute the same; the rest are refused for a reason that is true."""

from __future__ import annotations

import pytest
import torch
from graph_networks import NETWORKS, REFUSED, SHAPE, example, images, plain, traced
from torch import nn

from harness.graph.independence import mixes_images
from harness.graph.refusal import GraphRefused
from harness.graph.replay import Replay
from harness.worker.model import Model

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.mark.parametrize("name", NETWORKS)
def test_replay_equals_the_module(name: str) -> None:
    found = example(name)
    replay = Replay(found.graph)
    size = found.graph.input.batch
    own = next((each.dtype for each in found.module.parameters()), torch.float32)
    for count in (1, 3, 64) if size is None else (size,):
        with torch.inference_mode():
            output = found.module(images(count).to(own))
        logits = next(each for each in Model.candidates(output) if each.shape == (count, 10))
        replayed = replay(found.tensors, images(count))
        assert replayed.dtype == logits.dtype
        assert torch.equal(replayed.isnan(), logits.isnan())
        torch.testing.assert_close(replayed, logits, rtol=0, atol=1e-6 * _scale(logits), equal_nan=True)


@pytest.mark.parametrize("name", NETWORKS)
def test_replay_takes_channels_last(name: str) -> None:
    found = example(name)
    replay, batch = Replay(found.graph), images(5)
    logits = replay(found.tensors, batch)
    other = replay(found.tensors, batch.contiguous(memory_format=torch.channels_last))
    room = {torch.float16: 4e-3, torch.bfloat16: 3e-2}.get(logits.dtype, 1e-5)
    torch.testing.assert_close(other, logits, rtol=0, atol=room * _scale(logits), equal_nan=True)


@pytest.mark.parametrize("name", NETWORKS)
def test_images_do_not_mix(name: str) -> None:
    found = example(name)
    assert not mixes_images(Replay(found.graph), found.tensors)


@pytest.mark.parametrize("name", REFUSED)
def test_refused_for_a_true_reason(name: str) -> None:
    make, words = REFUSED[name]
    with pytest.raises(GraphRefused, match=words):
        traced(make().eval())


def test_a_refusal_names_operator_and_line() -> None:
    with pytest.raises(GraphRefused) as caught:
        traced(REFUSED["random"][0]())
    assert caught.value.operator == "aten.rand.default"
    assert caught.value.line is not None
    assert caught.value.line.startswith("graph_networks.py:")


def test_names_are_those_of_the_state() -> None:
    found = example("plain")
    assert set(found.tensors) == set(found.module.state_dict())
    kinds = {name: each.kind for name, each in found.graph.tensors.items()}
    assert kinds["0.weight"] == "parameter"
    assert kinds["1.running_mean"] == "buffer"


def test_literals_are_constants() -> None:
    constants = [each for each in example("literals").graph.tensors.values() if each.kind == "constant"]
    assert sorted(each.shape for each in constants) == [(3,), (10,)]


def test_several_names_of_one_tensor() -> None:
    entry = example("shared").graph.tensors["0.0.weight"]
    assert entry.aliases == ("1.0.weight", "2.0.weight")


def test_module_paths_and_lines() -> None:
    node = next(each for each in example("module_list").graph.nodes if each.operator == "aten.conv2d.default")
    assert node.module == "layers.0"
    assert node.line is not None
    assert node.line.startswith("graph_networks.py:")


def test_the_batch_is_fixed_only_where_the_network_fixes_it() -> None:
    fixed = {name for name in NETWORKS if example(name).graph.input.batch is not None}
    assert not fixed, "not even by len(x)"


def test_a_fixed_batch_is_padded() -> None:
    class OfSixtyFour(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x.view(64, -1))

    found = traced(OfSixtyFour(nn.Linear(192, 10)))
    assert found.graph.input.batch == 64
    replay, batch = Replay(found.graph), images(70)
    with torch.inference_mode():
        expected = found.module[0](batch.flatten(1))
    torch.testing.assert_close(replay(found.tensors, batch), expected, rtol=0, atol=1e-6)


def test_eval_mode_is_set_by_the_base_class() -> None:
    class Stubborn(nn.Dropout):
        def train(self, mode: bool = True) -> Stubborn:
            return self

    found = traced(nn.Sequential(nn.Flatten(), Stubborn(), nn.Linear(192, 10)))
    assert "aten.native_dropout.default" not in {each.operator for each in found.graph.nodes}


def test_the_first_fitting_tensor_is_noted() -> None:
    assert "dict" in example("dict_output").graph.notes[0]
    assert not example("plain").graph.notes


def test_the_fast_path_setting_is_restored() -> None:
    before = torch.backends.mha.get_fastpath_enabled()
    traced(plain(), SHAPE)
    assert torch.backends.mha.get_fastpath_enabled() is before


def _scale(logits: torch.Tensor) -> float:
    finite = logits[logits.isfinite()]
    return float(finite.abs().max()) if len(finite) else 1.0
