"""Weights in the arguments of operators are numbers like others; what honest networks write down is not."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from graph_networks import NETWORKS, Of, example, traced
from torch import Tensor, nn

from harness.graph.written import written_numbers

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
KNOWN = [random.Random(at).gauss(0, 1) for at in range(600)]


def numbers(function: Any, **parts: Any) -> int:
    return written_numbers(traced(Of(function, **parts).eval()).graph)


@pytest.mark.parametrize("name", NETWORKS)
def test_honest_networks_write_next_to_nothing_down(name: str) -> None:
    assert written_numbers(example(name).graph) < 32


def _one_by_one(_: Any, x: Tensor) -> Tensor:
    rows = [sum(x.flatten(1)[:, at] * KNOWN[at] for at in range(30 * row, 30 * row + 30)) for row in range(5)]
    return torch.stack([*rows, *rows], dim=1)


def test_weights_multiplied_one_by_one() -> None:
    assert numbers(_one_by_one) >= 150


def _quantised(_: Any, x: Tensor) -> Tensor:
    made = torch.stack([torch.full((), round(each * 3) / 3) for each in KNOWN])
    return x.flatten(1)[:, :60] @ made.reshape(60, 10)


def test_weights_of_few_levels() -> None:
    assert numbers(_quantised) >= 400


def _packed(_: Any, x: Tensor) -> Tensor:
    words = [random.Random(at).getrandbits(62) for at in range(75)]
    made = torch.stack([torch.full((), each, dtype=torch.int64) for each in words])
    return x.flatten(1)[:, :60] @ made.view(torch.int8).reshape(60, 10).float()


def test_whole_numbers_with_room_for_eight() -> None:
    assert numbers(_packed) >= 500


def _chosen(_: Any, x: Tensor) -> Tensor:
    levels = torch.linspace(-1, 1, 16).unbind()
    made = torch.stack([levels[int(each * 1000) % 16] for each in KNOWN])
    return x.flatten(1)[:, :60] @ made.reshape(60, 10)


def test_a_list_that_chooses_among_a_few_results() -> None:
    assert numbers(_chosen) >= 500


def test_pixels_that_are_chosen_by_a_list() -> None:
    chosen = [[at for at in range(192) if random.Random(f"{row} {at}").random() < 0.4] for row in range(10)]

    def wired(_: Any, x: Tensor) -> Tensor:
        pixels = x.flatten(1).unbind(1)
        return torch.stack([torch.stack([pixels[at] for at in row]).sum(0) for row in chosen], dim=1)

    assert numbers(wired) >= 256


def test_layers_joined_in_their_order_are_no_numbers() -> None:
    def dense(self: Any, x: Tensor) -> Tensor:
        found = [x]
        for layer in self.layers:
            found.append(torch.relu(layer(torch.cat(found, dim=1))))
        return self.head(torch.cat(found, dim=1).mean((2, 3)))

    layers = nn.ModuleList(nn.Conv2d(3 + 4 * at, 4, 3, padding=1) for at in range(40))
    assert numbers(dense, layers=layers, head=nn.Linear(163, 10)) < 32
