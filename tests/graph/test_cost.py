"""Costs and counts against numbers made by hand, by torch's own counter, and published ones."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import pytest
import torch
from graph_networks import CLASSES, NETWORKS, SHAPE, Of, example, images, traced
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from harness.graph.cost import batch_size, cost
from harness.graph.limits import accepted
from harness.graph.shapes import measure
from harness.torchvision_import import import_torchvision
from harness.worker.trace import trace

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

# What torch's counter sees beside products: the Householder reflections have no formula there.
UNLIKE_TORCH = {"orthogonal"}


def test_by_hand() -> None:
    found = cost(example("plain").graph)
    assert found.macs == 8 * 6 * 6 * 27 + 72 * 10
    conv, pool = 8 * 6 * 6 * 4, 8 * 3 * 3 * 4
    assert found.live_bytes == 2 * conv  # convolution and normalisation; the activation runs in place or beside it
    assert found.activation_bytes >= 3 * conv + 2 * pool


def bilinear() -> nn.Module:
    network = Of(lambda self, x: self.pairs(x[:, 0].flatten(1), x[:, 1].flatten(1)))
    network.pairs = nn.Bilinear(64, 64, 10)
    return network


def times_a_vector() -> nn.Module:
    network = Of(lambda self, x: self.fc(torch.mv(x.flatten(1), self.vector)[:, None]))
    network.vector, network.fc = nn.Parameter(torch.rand(192)), nn.Linear(1, 10)
    return network


def views_of_parameters() -> nn.Module:
    network = Of(lambda self, x: self.fc(self.conv(x).mean((2, 3)) + self.mix(self.rows.expand(len(x), -1, -1)).sum(1)))
    network.rows, network.mix = nn.Parameter(torch.rand(4, 8)), nn.Linear(8, 8)
    network.conv, network.fc = nn.Conv2d(3, 8, 3), nn.Linear(8, 10)
    return network


@pytest.mark.parametrize(
    ("made", "macs"),
    [
        (bilinear, 10 * 64 * 64),  # every output, every pair
        (times_a_vector, 192 + 10),
        (views_of_parameters, 36 * 8 * 27 + 4 * 8 * 8 + 80),
    ],
)
def test_what_torch_does_not_count_by_hand(made: Callable[[], nn.Module], macs: int) -> None:
    assert cost(traced(made().eval()).graph).macs == macs


def test_the_layer_table() -> None:
    table = {each.path: each for each in cost(example("plain").graph).layers}
    assert table["0"].shape == (8, 6, 6)
    assert table["0"].macs == 8 * 6 * 6 * 27
    assert table["0"].parameters == 8 * 27 + 8
    assert table["1"].parameters == 16
    assert table["5"].shape == (10,)
    assert sum(each.parameters for each in table.values()) == 224 + 16 + 730


def test_a_shared_layer_counts_its_work_each_time_and_its_parameters_once() -> None:
    found = cost(example("shared").graph)
    assert found.macs == 3 * 64 * 81 + 1920
    assert sum(each.parameters for each in found.layers) == 84 + 1930


@pytest.mark.parametrize("name", sorted(set(NETWORKS) - UNLIKE_TORCH))
def test_as_torch_counts(name: str) -> None:
    """FlopCounterMode knows the parts of every operator, on meta tensors; it counts two operations for each."""
    found = example(name)
    done = measure(found.graph, 2)
    with FlopCounterMode(display=False) as counter:
        measure(found.graph, 2)
    assert done.macs == pytest.approx(counter.get_total_flops() / 2, rel=0.015)


@pytest.mark.parametrize("name", ["alexnet", "mobilenet_v3_small", "squeezenet1_1"])
def test_as_torchvision_publishes(name: str) -> None:
    models = import_torchvision().models
    meta = models.get_model_weights(name).DEFAULT.meta
    with torch.device("meta"):
        module = models.get_model(name, weights=None)
    done = trace(module, (3, 224, 224), 1000)
    graph = accepted(json.dumps(done.graph).encode(), (3, 224, 224), 1000, batch=2)
    assert (
        sum(math.prod(each.shape) for each in graph.tensors.values() if each.kind == "parameter") == meta["num_params"]
    )
    assert cost(graph).macs == pytest.approx(meta["_ops"] * 1e9, rel=0.015)


def test_the_cost_of_an_image_does_not_depend_on_a_fixed_batch() -> None:
    assert cost(example("length_of_batch").graph).macs == 1920


def test_a_large_network_gets_small_batches() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)
    )
    graph = traced(network, (3, 224, 224)).graph
    assert batch_size(graph, 512 * 2**20) in range(10, 42)
    assert batch_size(graph, 1) == 1
    assert batch_size(example("plain").graph, 512 * 2**20) == 64
    assert measure(graph, batch_size(graph, 512 * 2**20)).live_bytes <= 512 * 2**20


def test_shapes_are_those_of_the_module() -> None:
    found = example("plain")
    done = measure(found.graph, 3)
    assert done.output == (3, CLASSES)
    with torch.inference_mode():
        assert done.steps[-1].shape == tuple(found.module(images(3, SHAPE)).shape)
