"""Which tensors count, which are the same numbers, and which hold several in each element."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from graph_networks import Of, Packed, example, traced
from torch import Tensor, nn

from harness.graph.packed import unpacked
from harness.graph.reachable import elements, originals, reaching
from harness.graph.shapes import measure

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def numbers(module: nn.Module) -> dict[str, float]:
    graph = traced(module.eval()).graph
    return unpacked(graph, measure(graph, 2))


def test_what_is_registered_and_not_used_does_not_reach() -> None:
    module = Of(lambda s, x: s.used(x.flatten(1)), used=nn.Linear(192, 10), unused=nn.Linear(5, 5))
    found = traced(module.eval())
    assert reaching(found.graph) == {"used.weight", "used.bias"}
    assert "unused.weight" in found.graph.tensors


def test_masks_and_originals_reach() -> None:
    assert {"0.weight_orig", "0.weight_mask"} <= reaching(example("pruned").graph)


def test_tied_and_transposed_weights_count_once() -> None:
    found = example("tied_transposed")
    original = originals(found.graph, found.tensors)
    assert original["3.weight"] == "1.weight"
    every = sum(each.numel() for each in found.tensors.values())
    assert elements(found.graph, found.tensors, found.tensors) == every - 192 * 16


def test_a_false_claim_of_sharing_is_not_believed() -> None:
    found = example("tied_transposed")
    tensors = found.tensors | {"3.weight": torch.randn(192, 16)}
    assert originals(found.graph, tensors)["3.weight"] == "3.weight"


def test_disjoint_parts_of_one_memory_count_apart() -> None:
    flat = torch.randn(2 * 1920)

    class Sliced(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Parameter(flat[:1920].view(192, 10)), nn.Parameter(flat[1920:].view(192, 10))

        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1) @ self.a + x.flatten(1) @ self.b

    found = traced(Sliced().eval())
    assert elements(found.graph, found.tensors, reaching(found.graph)) == 2 * 1920


def test_shared_modules_count_once() -> None:
    found = example("shared")
    assert elements(found.graph, found.tensors, reaching(found.graph)) == 84 + 1930


def test_two_numbers_in_a_byte() -> None:
    assert numbers(Packed()) == {"packed": 2}


def _by_remainders(self: Any, x: Tensor) -> Tensor:
    low, high = self.packed % 16, self.packed // 16
    return x.flatten(1) @ torch.cat([low, high]).float()


def _by_shifts(self: Any, x: Tensor) -> Tensor:
    shifts = torch.arange(0, 32, 8)
    return x.flatten(1) @ ((self.packed[..., None] >> shifts) & 255).reshape(192, 10).float()


def _by_kept_shifts(self: Any, x: Tensor) -> Tensor:
    return x.flatten(1) @ ((self.packed[..., None] >> self.shifts) & 255).reshape(192, 10).float()


def _by_bytes(self: Any, x: Tensor) -> Tensor:
    return x.flatten(1) @ self.packed.view(torch.int8).reshape(192, 10).float()


def _by_bits(self: Any, x: Tensor) -> Tensor:
    planes = [(self.packed >> bit) & 1 for bit in range(8)]
    return x.flatten(1) @ torch.where(torch.cat(planes) == 1, 1.0, -1.0)


def _twice(self: Any, x: Tensor) -> Tensor:
    first, again = (self.packed & 15).float(), (self.packed & 15).float()
    return x.flatten(1) @ (first + again)


@pytest.mark.parametrize(
    ("function", "shape", "dtype", "expected"),
    [
        (_by_remainders, (96, 10), torch.uint8, 2),
        (_by_shifts, (48, 10), torch.int32, 4),
        (_by_bytes, (480,), torch.int32, 4),
        (_by_bits, (24, 10), torch.uint8, 8),
    ],
)
def test_packed(function: Any, shape: tuple[int, ...], dtype: torch.dtype, expected: float) -> None:
    assert numbers(Of(function, packed=torch.randint(0, 100, shape, dtype=dtype))) == {"packed": expected}


def _by_floors(self: Any, x: Tensor) -> Tensor:
    high = torch.floor(self.packed / 256)
    return x.flatten(1).float() @ torch.cat([high, self.packed - 256 * high]).float()


def _by_narrower_numbers(self: Any, x: Tensor) -> Tensor:
    high = self.packed.to(torch.bfloat16).float()
    return x.flatten(1) @ torch.cat([high, (self.packed - high) * 2**8])


@pytest.mark.parametrize("function", [_by_floors, _by_narrower_numbers])
def test_arithmetic_takes_apart_as_well(function: Any) -> None:
    dtype = torch.float64 if function is _by_floors else torch.float32
    assert numbers(Of(function, packed=nn.Parameter(torch.randn(96, 10, dtype=dtype)))) == {"packed": 2}


def _straight_through(self: Any, x: Tensor) -> Tensor:
    scale = self.w.abs().max() / 7
    rounded = torch.round(self.w / scale).clamp(-8, 7) * scale
    return x.flatten(1) @ (self.w + (rounded - self.w).detach())


def _binary(self: Any, x: Tensor) -> Tensor:
    return x.flatten(1) @ (self.w.sign() * self.w.abs().mean(0, keepdim=True))


def _ternary(self: Any, x: Tensor) -> Tensor:
    limit = 0.7 * self.w.abs().mean()
    return x.flatten(1) @ ((self.w > limit).float() - (self.w < -limit).float())


def _gated(self: Any, x: Tensor) -> Tensor:
    return x.flatten(1) @ (self.w * (self.w.abs() > 0.1))


@pytest.mark.parametrize("function", [_straight_through, _binary, _ternary, _gated])
def test_weights_that_are_quantised_on_the_way_hold_one_number_each(function: Any) -> None:
    assert numbers(Of(function, w=nn.Parameter(torch.randn(192, 10)))) == {}


def test_the_amounts_of_shifts_are_not_what_is_unpacked() -> None:
    packed = torch.randint(0, 100, (48, 10), dtype=torch.int32)
    assert numbers(Of(_by_kept_shifts, packed=packed, shifts=torch.arange(0, 32, 8))) == {"packed": 4}


def test_not_packed() -> None:
    eight_bits = torch.randint(-128, 127, (10, 192), dtype=torch.int8)
    plain = Of(lambda s, x: nn.functional.linear(x.flatten(1), (s.w.float() - 3) * 0.1), w=eight_bits)
    assert numbers(plain) == {}
    assert numbers(Of(_twice, packed=torch.randint(0, 100, (192, 10), dtype=torch.uint8))) == {}
    assert numbers(example("quantised_by_hand").module) == {}


def test_integer_activations_are_not_weights() -> None:
    module = Of(lambda s, x: s.head(((x * 7).to(torch.int32) >> 1).flatten(1).float()), head=nn.Linear(192, 10))
    assert numbers(module) == {}
