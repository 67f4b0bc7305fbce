"""Sizes against a limit of bytes, and the canonical ones against hand-counted layouts."""

from __future__ import annotations

import dataclasses
import pickle
import struct

import graph_networks
import numpy as np
import pytest
import student_fakes
import torch
import zstandard
from harness_formats import containers as harness_formats
from harness_formats import hw7_pickles as harness_hw7_pickles
from harness_sizes.canonical import canonical, stored_bits, tensor_bytes
from harness_sizes.model_size import ModelSize, SizeOptions
from student_fakes import FakeStudent, context
from torch import nn
from torch.nn.utils import prune

from harness.api import Beside, ModelFacts, TracedNetwork
from harness.networks.weights import live_masks
from harness.plugins import Plugins
from harness.worker.decoding import decode_weights


def student(tensors, bits=None, size=0, aliases=()):
    facts = ModelFacts(
        source="", weights_format="", state={}, parameters=(), storage_elements=0, torchinfo=None,
        stored_bits=bits or {}, aliases=aliases,
    )  # fmt: skip
    return FakeStudent(tensors, {}, live_masks(tensors), facts, size)


def evaluated(size: int, limit: int | None, elements: int = 100, measure="stored"):
    given = student({"weight": torch.zeros(elements)}, size=size)
    return student_fakes.evaluated(ModelSize(), given, context(SizeOptions(limit_bytes=limit, measure=measure)))


def test_without_a_limit_the_size_is_only_measured():
    found = evaluated(387_480, None)
    assert found.checks == ()
    assert found.metrics.keys() | {"micronet_storage"} == {spec.name for spec in ModelSize.metrics}
    metric = found.metrics["stored_bytes"]
    assert (metric.value, metric.unit, metric.higher_is_better) == (387_480, "bytes", False)


@pytest.mark.parametrize(("size", "verdict"), [(299_999, "passed"), (300_000, "passed"), (300_001, "failed")])
def test_a_limit_may_be_met_exactly(size, verdict):
    (check,) = evaluated(size, 300_000).checks
    assert (check.name, check.verdict) == ("weights_size", verdict)
    assert f"{size:,}" in check.reason
    assert "300,000" in check.reason


def test_an_oversized_file_is_told_which_width_would_fit():
    # HW7's own table: 256,779 parameters are 1,047,430 bytes in fp32, 522,958 in fp16 and 268,472 in 8 bits.
    assert "at 8 bits each would be about 256,779 bytes" in evaluated(1_047_430, 300_000, 256_779).checks[0].hint
    assert "at 16 bits each would be about 241,718 bytes" in evaluated(490_000, 300_000, 120_859).checks[0].hint
    hint = evaluated(1_200_000, 300_000, 300_001).checks[0].hint
    assert hint == "300,001 numbers do not fit even at 8 bits each: the network must become smaller"


@pytest.mark.parametrize("limit", [0, -1, 1.5])
def test_limits_are_whole_and_positive(limit):
    with pytest.raises(ValueError, match="limit_bytes"):
        SizeOptions(limit_bytes=limit)


def test_a_limit_names_its_size():
    # 800 float32 zeros: a mask of 100 bytes and nothing else
    (check,) = evaluated(3_600, 100, 800, "canonical").checks
    assert (check.verdict, check.reason) == ("passed", "100 of at most 100 bytes (canonical_bytes)")
    (check,) = evaluated(3_600, 99, 800, "canonical").checks
    assert (check.verdict, check.reason) == ("failed", "100 bytes are over the limit of 99 (canonical_bytes)")
    (check,) = evaluated(3_600, 99, 800, "zstd").checks
    assert check.verdict == "passed"
    assert check.reason.endswith("of at most 99 bytes (zstd_bytes)")
    with pytest.raises(ValueError, match="canonical"):
        SizeOptions(measure="zip")


def knowing(constructed=frozenset(), literal_bytes=0):
    """1,000 bytes of weights, and beside them a verified network's table of 1,920 random numbers: 7,680 bytes."""
    torch.manual_seed(0)
    module = graph_networks.Of(lambda net, x: x.flatten(1) @ net.table, table=torch.randn(192, 10))
    done = graph_networks.traced(module)
    (name,) = done.tensors
    outside = TracedNetwork(
        done.graph, "", done.tensors, constructed=constructed and {name}, literal_bytes=literal_bytes
    )
    return dataclasses.replace(student({"weight": torch.randn(250)}, size=1_000), traced=outside)


def size_check(given, limit):
    (check,) = student_fakes.evaluated(ModelSize(), given, context(SizeOptions(limit_bytes=limit))).checks
    return check


def test_what_a_network_computes_with_and_the_file_does_not_hold_is_for_a_person():
    check = size_check(knowing(), 5_000)
    assert check.verdict == "could_not_check"
    assert "in buffers and constants ('table')" in check.reason
    assert "stored_bytes" not in ModelSize().evaluate(knowing(), context(SizeOptions())).metrics
    # What the sources alone make is a table like a sine's, unless as much stands there in literals.
    assert size_check(knowing({"table"}), 5_000).verdict == "passed"
    assert size_check(knowing({"table"}, literal_bytes=8_000), 5_000).verdict == "passed"
    check = size_check(knowing({"table"}, literal_bytes=9_000), 5_000)
    assert (check.verdict, "in the literals of its source" in check.reason) == ("could_not_check", True)


def test_a_single_number_beside_the_file_is_measured_like_any_other():
    module = graph_networks.Of(lambda net, x: x.flatten(1) @ net.table * net.scale, table=torch.randn(192, 10))
    module.register_buffer("scale", torch.tensor(0.3))
    done = graph_networks.traced(module)
    outside = TracedNetwork(done.graph, "", done.tensors)
    assert {each.dim() for each in done.tensors.values()} == {0, 2}
    given = dataclasses.replace(student({"weight": torch.randn(250)}, size=1_000), traced=outside)
    assert size_check(given, 5_000).verdict == "could_not_check"


def test_code_that_runs_on_every_image_may_know_what_it_holds_and_reads():
    given = student({"weight": torch.randn(250)}, size=1_000)
    for held, verdict in ((8_000, "passed"), (9_000, "could_not_check")):
        beside = Beside(literal_bytes=held - 1_000, hidden_bytes=1_000, files=("notes.md",), because="it reads it")
        facts = given.facts.model_copy(update={"beside": beside})
        check = size_check(dataclasses.replace(given, facts=facts), 5_000)
        assert (check.verdict, "notes.md" in check.reason) == (verdict, verdict != "passed")


def test_zstd_is_of_the_canonical_bytes():
    given = student({"a": torch.arange(1.0, 500), "b": torch.arange(1, 500)})
    found = ModelSize().evaluate(given, context(SizeOptions()))
    data = canonical(given)
    assert found.metrics["canonical_bytes"].value == len(data) == 499 * (4 + 8)
    compressed = zstandard.ZstdCompressor(level=10).compress(data)
    assert zstandard.ZstdDecompressor().decompress(compressed) == data
    assert found.metrics["zstd_bytes"].value == len(compressed) < len(data)


def test_values_are_written_at_their_own_width():
    assert tensor_bytes(torch.tensor([1.5, -2.0]), 32) == struct.pack("<2f", 1.5, -2.0)
    assert tensor_bytes(torch.tensor([1.5, -2.0]), 16) == struct.pack("<2e", 1.5, -2.0)
    assert tensor_bytes(torch.tensor([1.5, -2.0]).half(), 16) == struct.pack("<2e", 1.5, -2.0)
    assert tensor_bytes(torch.tensor(7.0), 64) == struct.pack("<d", 7.0)  # HW7 keeps scalars as float64
    assert tensor_bytes(torch.tensor([7, 8]), 64) == struct.pack("<2q", 7, 8)
    # 1e38 is no float16, but it is a bfloat16, whose bits are the upper half of a float32's
    large = torch.tensor([1e38]).bfloat16()
    assert tensor_bytes(large.float(), 16) == tensor_bytes(large, 16) == struct.pack("<f", float(large))[2:]
    assert tensor_bytes(torch.zeros(0), 32) == b""


def test_narrow_values_are_written_as_multiples_of_a_step_after_the_least_and_the_step():
    values = torch.tensor([0.5, -1.0, 2.0, 0.5, 0.75])  # -1 and steps of 0.25: 6 0 12 6 7
    assert tensor_bytes(values, 8) == struct.pack("<2f", -1, 0.25) + bytes([6, 0, 12, 6, 7])
    assert tensor_bytes(values, 4) == struct.pack("<2f", -1, 0.25) + bytes([0x60, 0xC6, 0x70])
    # Twelve steps are too many for three bits: four values in a table, and 2 bits or 3 for each of 50.
    assert tensor_bytes(values.repeat(10), 3)[:16] == struct.pack("<4f", -1, 0.5, 0.75, 2)
    assert len(tensor_bytes(values.repeat(10), 3)) == 16 + 19
    assert len(tensor_bytes(values.repeat(10), 2)) == 16 + 13
    # A constant has no step; and what is shorter as it is stays so.
    assert tensor_bytes(torch.full((9,), 3.0), 2) == struct.pack("<2f", 3, 0) + bytes(3)
    assert tensor_bytes(torch.tensor([3.0]), 8) == struct.pack("<f", 3)


def test_a_width_that_cannot_hold_the_values_is_not_believed():
    distinct = torch.linspace(1, 2, 257)
    assert len(tensor_bytes(distinct[:256], 8)) == 256 + 8
    assert len(tensor_bytes(distinct, 8)) == 257 * 4
    assert len(tensor_bytes(torch.tensor([0.1, 0.2]), 16)) == 8
    assert len(tensor_bytes(torch.tensor([0.1, 0.2]), 12)) == 8
    assert len(tensor_bytes(torch.tensor([1, 2]), 16)) == 16


def test_a_mask_and_the_rest_where_that_is_shorter():
    values = torch.zeros(20)
    values[[0, 9, 19]] = torch.tensor([1.0, 2.0, 3.0])
    assert tensor_bytes(values, 32) == bytes([0b10000000, 0b01000000, 0b00010000]) + struct.pack("<3f", 1, 2, 3)
    # 32 values of 32 bits: with one zero, mask and rest are as long as all values, which then stand alone
    values = torch.ones(32)
    values[0] = 0
    assert tensor_bytes(values, 32) == struct.pack("<32f", *values.tolist())
    values[1] = 0
    assert len(tensor_bytes(values, 32)) == 4 + 30 * 4


def test_tied_and_masked_tensors_count_once():
    torch.manual_seed(0)
    layer = nn.Linear(64, 32)
    prune.l1_unstructured(layer, "weight", amount=0.75)
    decoded = {name: each.detach() for name, each in layer.state_dict().items()}
    assert sorted(decoded) == ["bias", "weight_mask", "weight_orig"]
    assert len(canonical(student(decoded))) == 32 * 4 + 64 * 32 // 8 + 64 * 32 // 4 * 4
    shared = torch.rand(10) + 1
    tied = {"a.weight": shared, "b.weight": shared.clone(), "c.weight": shared + 1}
    aliases = (("a.weight", "b.weight", "c.weight"),)
    assert len(canonical(student(tied, aliases=aliases))) == 80  # c is not what was claimed


def test_running_statistics_are_needed_too():
    batchnorm = {name: each.detach() for name, each in nn.BatchNorm2d(16).state_dict().items()}
    # weight and running_var are ones; bias, running_mean and the count of batches are zeros: masks of 2, 2 and 1 bytes
    assert len(canonical(student(batchnorm))) == 2 * 64 + 2 * 2 + 1


@pytest.mark.parametrize("prefix", ["", "module."])
def test_an_hw7_file_needs_a_byte_per_value(tmp_path, prefix):
    rng = np.random.default_rng(0)
    arrays = {"conv.weight": rng.normal(size=(8, 3, 3, 3)), "bn.weight": rng.normal(size=8)}
    file = {
        prefix + name: (w.min(), w.max(), np.uint8(np.round((w - w.min()) / (w.max() - w.min()) * 255)))
        for name, w in arrays.items()
    }
    (tmp_path / "w").write_bytes(pickle.dumps({**file, prefix + "bn.num_batches_tracked": np.float64(12)}, 3))
    read = decode_weights(tmp_path / "w", Plugins.of(harness_formats, harness_hw7_pickles).weight_formats)
    renamed = {name.removeprefix(prefix): each for name, each in read.tensors.items()}
    given = student(renamed, read.bits)
    assert stored_bits(given) == {"conv.weight": 8, "bn.weight": 8, "bn.num_batches_tracked": 64}
    assert len(canonical(given)) == 8 * 27 + 8 + 2 * (4 + 4) + 8  # and two ranges of two float32


def test_names_the_network_wraps_are_found_too():
    given = student({"net.weight": torch.ones(4), "net.bias": torch.ones(2)}, {"weight": 16, "bias": 32})
    assert stored_bits(given) == {"net.weight": 16, "net.bias": 32}
    assert stored_bits(student({"weight": torch.ones(4)}, {})) == {}
    assert stored_bits(student({}, {})) == {}


def micronet(tensors, bits=None, reference=1):
    found = ModelSize().evaluate(student(tensors, bits), context(SizeOptions(micronet_reference=reference)))
    return found.metrics["micronet_storage"].value


def test_micronet_counts_fractions_of_32_bit_values():
    levels = torch.arange(256.0).repeat(2)
    # 512 values of 8 bits are 128 parameters; beside something narrow, 32 bits stay 32: 10 more; the counter is not needed
    tensors = {"w": levels, "b": torch.rand(10), "bn.num_batches_tracked": torch.tensor(3)}
    # one of the levels is zero, so a mask does not pay: 512 + 510 · 8 > 512 · 8; the range is two numbers
    assert micronet(tensors, {"w": 8}) == 128 + 2 + 10
    # nothing narrow: all may be counted as 16 bits
    assert micronet(tensors) == (512 + 10) / 2
    # the claim of 8 bits does not hold, so 16 it is
    assert micronet({"w": torch.rand(1000)}, {"w": 8}) == 500
    # pruned: a bit each, and 10 values of 16 bits
    pruned = torch.cat([torch.zeros(990), torch.rand(10) + 1])
    assert micronet({"w": pruned}) == (1000 + 160) / 32


def test_a_bool_buffer_does_not_cost_the_free_16_bits():
    tensors = {"w": torch.rand(64), "mask": torch.tensor([1, 0] * 32, dtype=torch.uint8)}
    assert micronet(tensors, {"mask": 8}) == 64 / 2 + 64 / 32
    # Whole numbers of 8 bits are something narrow.
    tensors["mask"] = torch.arange(64, dtype=torch.uint8)
    assert micronet(tensors, {"mask": 8}) == 64 + min(64 * 8, 64 + 63 * 8) / 32


TORCH_QUANTISES = pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")


def by_torch(axis, shape):
    """A tensor quantised by torch itself with one scale per slice along `axis`, read back."""
    torch.manual_seed(1)
    values = torch.randn(shape)
    others = [each for each in range(len(shape)) if each != axis]
    scales = values.abs().amax(others).double() / 127
    quantised = torch.quantize_per_channel(
        values, scales, torch.zeros(shape[axis], dtype=torch.long), axis, torch.qint8
    )
    return quantised.dequantize()


@TORCH_QUANTISES
@pytest.mark.parametrize(
    ("shape", "axis", "ranges"), [((16, 3, 3, 3), 0, 16), ((8, 40), 0, 8), ((12, 30, 2, 2), 1, 30)]
)
def test_int8_per_channel_is_recognised_with_a_range_per_channel(shape, axis, ranges):
    tensor = by_torch(axis, shape)
    count = tensor.numel()
    assert count <= len(canonical(student({"w": tensor}, {"w": 8}))) == count + 8 * ranges
    assert micronet({"w": tensor}, {"w": 8}) == (8 * count + 64 * ranges) / 32
    # What torch cannot have made with so many ranges is not believed.
    assert len(canonical(student({"w": tensor + torch.rand(shape) / 1000}, {"w": 8}))) == 4 * count


@TORCH_QUANTISES
def test_int8_per_tensor_has_one_range_also_when_some_of_it_is_pruned():
    torch.manual_seed(2)
    values = torch.randn(20, 30)
    tensor = torch.quantize_per_tensor(values, 4 / 255, 100, torch.quint8).dequantize()
    assert len(canonical(student({"w": tensor}, {"w": 8}))) == 600 + 8
    tensor[:, :15] = 0
    kept = int((tensor != 0).sum())
    assert len(canonical(student({"w": tensor}, {"w": 8}))) == 75 + kept + 8


def test_micronet_score_of_a_published_entry():
    """github.com/mhariat/MicroNet: 0.3445 million parameters on CIFAR-100, storage 0.3445 / 36.5 of the score 0.0467."""
    parameters = 2 * 344_500  # at the free 16 bits
    assert micronet({"w": torch.ones(parameters)}, reference=36_500_000) == pytest.approx(0.3445 / 36.5)


@pytest.mark.parametrize("limit", [None, 300_000])
def test_a_file_that_cannot_hold_what_it_decodes_to_has_no_size(limit):
    torch.manual_seed(0)
    weights = torch.randn(100_000)  # incompressible: 4 bytes each, less the little that exponents have in common
    given = student({"weight": weights}, size=1_261)
    found = student_fakes.evaluated(ModelSize(), given, context(SizeOptions(limit_bytes=limit)))
    (check,) = found.checks
    assert (check.name, check.verdict) == ("weights_size", "could_not_check")
    assert "1,261 bytes" in check.reason
    assert "stored_bytes" not in found.metrics
    assert found.metrics["zstd_bytes"].value > 300_000
    canonical_limit = context(SizeOptions(limit_bytes=300_000, measure="canonical"))
    assert student_fakes.evaluated(ModelSize(), given, canonical_limit).checks[0].verdict == "failed"


@pytest.mark.parametrize("seed", range(3))
def test_honest_files_hold_what_they_decode_to(seed, tmp_path):
    """Compressed with deflate, at 8 bits by a min-max quantiser, and pruned to a tenth."""
    torch.manual_seed(seed)
    weights = torch.randn(20_000)
    levels = ((weights - weights.min()) / (weights.max() - weights.min()) * 255).round()
    pruned = weights * (weights.abs() > 1.6)
    for number, (tensor, bits) in enumerate([(weights, 32), (weights.half().float(), 16), (levels, 8), (pruned, 32)]):
        path = tmp_path / f"{number}.npz"
        kept = {8: np.uint8, 16: np.float16, 32: np.float32}[bits]
        np.savez_compressed(path, weight=tensor.numpy().astype(kept))
        given = student({"weight": tensor}, {"weight": bits}, size=path.stat().st_size)
        assert "stored_bytes" in ModelSize().evaluate(given, context(SizeOptions())).metrics
