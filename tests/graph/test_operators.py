"""Every row of the table is what it says: functional, deterministic, present in torch."""

from __future__ import annotations

import math

import pytest
import torch

from harness.graph.operators import operators, why_not

ATEN = sorted(name for name in operators() if name.startswith("aten."))
# Their results depend on the values of their arguments or on chance, unless a rule forbids that.
RULED = (torch.Tag.nondeterministic_seeded, torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape)


def overload(name: str) -> torch._ops.OpOverload:
    _, packet, which = name.split(".")
    return getattr(getattr(torch.ops.aten, packet), which)


@pytest.mark.parametrize("name", ATEN)
def test_functional_and_deterministic(name: str) -> None:
    found = overload(name)
    assert not found._schema.is_mutable
    if any(tag in found.tags for tag in RULED):
        assert operators()[name].rule is not None
    if operators()[name].overwrites:
        assert operators()[name].in_place() is not None


def test_uninitialised_memory_is_zero() -> None:
    for name in ("aten.empty.memory_format", "aten.empty_like.default", "aten.new_empty.default"):
        found = operators()[name]
        given = ([3, 4],) if found.creates else (torch.ones(3, 4),) if "like" in name else (torch.ones(1), [3, 4])
        assert torch.equal(found.function()(*given), torch.zeros(3, 4))


def test_no_row_has_a_second_one_of_its_name() -> None:
    from harness.graph.operators import _table

    names = [each.name for each in _table()]
    assert len(names) == len(set(names))


def test_views_take_channels_last() -> None:
    batch = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    with pytest.raises(RuntimeError):
        batch.view(2, 48)
    assert torch.equal(operators()["aten.view.default"].function()(batch, [2, 48]), batch.reshape(2, 48))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("aten.rand.default", "random"),
        ("aten.bernoulli.p", "random"),
        ("aten.item.default", "values"),
        ("aten._native_batch_norm_legit.no_stats", "statistics of the batch"),
        ("aten.as_strided.default", "address"),
        ("mylib.rand.default", "not one of those"),
        ("", "not one of those"),
    ],
)
def test_the_reason_of_an_unknown_operator(name: str, words: str) -> None:
    assert words in why_not(name)


N = 2
CONVOLUTION = (
    torch.empty(N, 8, 16, 16, device="meta"),
    torch.empty(6, 4, 3, 3, device="meta"),
    None,
    [1, 1],
    [1, 1],
    [1, 1],
    2,
)
SEQUENCE = (torch.empty(5, N, 7, device="meta"), torch.empty(1, N, 3, device="meta"))
WEIGHTS = [torch.empty(shape, device="meta") for shape in ((9, 7), (9, 3), (9,), (9,))]


@pytest.mark.parametrize(
    ("name", "arguments", "by_hand"),
    [
        ("aten.conv2d.default", CONVOLUTION, N * 6 * 16 * 16 * 4 * 9),
        ("aten.conv_transpose2d.input", (torch.empty(N, 8, 5, 5), torch.empty(8, 3, 2, 2)), N * 8 * 25 * 3 * 4),
        ("aten.linear.default", (torch.empty(N, 7), torch.empty(3, 7)), N * 7 * 3),
        ("aten.linear.default", (torch.empty(N, 5, 7), torch.empty(3, 7)), N * 5 * 7 * 3),
        ("aten.matmul.default", (torch.empty(4, N, 7), torch.empty(4, 7, 3)), 4 * N * 7 * 3),
        ("aten.mv.default", (torch.empty(4, 7), torch.empty(7)), 28),
        ("aten.dot.default", (torch.empty(7), torch.empty(7)), 7),
        ("aten.addmm.default", (torch.empty(3), torch.empty(N, 7), torch.empty(7, 3)), N * 7 * 3),
        ("aten.baddbmm.default", (torch.empty(4, N, 3), torch.empty(4, N, 7), torch.empty(4, 7, 3)), 4 * N * 7 * 3),
        ("aten.bilinear.default", (torch.empty(N, 4), torch.empty(N, 5), torch.empty(3, 4, 5)), N * 3 * 4 * 5),
        ("aten.scaled_dot_product_attention.default",
         (torch.empty(N, 2, 6, 8), torch.empty(N, 2, 9, 8), torch.empty(N, 2, 9, 5)), N * 2 * 6 * 9 * (8 + 5)),
        ("aten.gru.input", (*SEQUENCE, WEIGHTS, True, 1, 0.0, False, False, False), 5 * N * 9 * (7 + 3)),
        ("aten.gru_cell.default", (torch.empty(N, 7), torch.empty(N, 3), *WEIGHTS[:2]), N * 9 * (7 + 3)),
    ],
)  # fmt: skip
def test_multiply_accumulates_by_hand(name: str, arguments: tuple[object, ...], by_hand: int) -> None:
    found = operators()[name]
    on_meta = [each.to("meta") if isinstance(each, torch.Tensor) else each for each in arguments]
    result = found.function()(*on_meta)
    assert found.macs is not None
    assert found.macs(on_meta, result[0] if isinstance(result, tuple) else result) == by_hand


def test_arithmetic_of_sizes() -> None:
    sizes = {name: each.function() for name, each in operators().items() if not name.startswith("aten.")}
    assert sizes["operator.floordiv"](7, 2) == 3
    assert sizes["math.ceil"](6.5) == 7
    assert sizes["torch.sym_int"](6.5) == 6
    assert math.isclose(sizes["operator.truediv"](7, 2), 3.5)
