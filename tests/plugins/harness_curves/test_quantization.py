"""Rounded weights against HW7's own formula in NumPy float64 and a file of that course's format."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from builders import SUBMISSIONS
from curve_fakes import Networked, images_of, networked
from harness_curves.quantization import QuantizationCurve, QuantizationOptions, min_max, min_max_bytes
from harness_formats import containers as harness_formats
from harness_formats import hw7_pickles as harness_hw7_pickles
from harness_sizes.canonical import canonical, tensor_bytes
from student_fakes import context
from torch import nn

from harness.errors import SubmissionError
from harness.plugins import Plugins
from harness.worker.decoding import decode_weights
from harness.worker.pickles import unpickle_arrays

HW7 = SUBMISSIONS / "ntu-ml2020-hw7" / "seed-000" / "weights.pkl"


def encode(values, bits):
    """`encode8` of HW7, for any width, with a guard for constant tensors."""
    param = np.float64(values)
    low, high = np.min(param), np.max(param)
    levels = np.round((param - low) / (high - low) * (2**bits - 1)) if high > low else np.zeros_like(param)
    return low, high, levels


def decode(low, high, levels, bits):
    return np.float32(levels / (2**bits - 1) * (high - low) + low)


@pytest.mark.parametrize("bits", [8, 6, 5, 4, 3, 1])
@pytest.mark.parametrize("shape", [(16, 3, 3, 3), (10, 32), (7,), (1, 1)])
def test_values_are_those_of_the_formula(bits, shape):
    values = np.float32(np.random.default_rng(bits).normal(size=shape))
    expected = decode(*encode(values, bits), bits)
    np.testing.assert_array_equal(min_max(torch.from_numpy(values), bits, "per_tensor").numpy(), expected)
    rows = values if values.ndim > 1 else values[None]
    expected = np.stack([decode(*encode(row, bits), bits) for row in rows]).reshape(shape)
    np.testing.assert_array_equal(min_max(torch.from_numpy(values), bits, "per_channel").numpy(), expected)


@pytest.mark.parametrize("scheme", ["per_tensor", "per_channel"])
def test_a_constant_tensor_stays_what_it_is(scheme):
    assert torch.equal(min_max(torch.full((3, 4), 0.1), 4, scheme), torch.full((3, 4), 0.1))
    ones = torch.ones(5, dtype=torch.float16)
    assert torch.equal(min_max(ones, 8, scheme), ones)


def test_the_ends_are_kept_and_half_goes_to_even():
    # 3 levels above the least: 0.5 and 1.5 are halfway
    values = torch.tensor([0.0, 0.5, 1.5, 2.5, 3.0])
    assert min_max(values, 2, "per_tensor").tolist() == [0.0, 0.0, 2.0, 2.0, 3.0]


def test_a_file_of_the_course_is_its_own_8_bit_version():
    with HW7.open("rb") as file:
        content = unpickle_arrays(file)
    read = decode_weights(HW7, Plugins.of(harness_formats, harness_hw7_pickles).weight_formats)
    encoded = {name: value for name, value in content.items() if isinstance(value, tuple)}
    assert len(encoded) > 20
    assert any(name.endswith("running_var") for name in encoded)
    for name, (low, high, levels) in encoded.items():
        rounded = min_max(read.tensors[name], 8, "per_tensor")
        np.testing.assert_allclose(rounded, decode(low, high, levels.astype(np.float64), 8), rtol=1e-6, atol=1e-7)
        if high > low:
            np.testing.assert_array_equal(encode(rounded.numpy(), 8)[2], levels)


def test_bytes_by_hand():
    tensor = torch.zeros(10, 3, 3)
    assert min_max_bytes(tensor, 8, "per_tensor") == 90 + 8
    assert min_max_bytes(tensor, 3, "per_tensor") == 34 + 8  # 270 bits
    assert min_max_bytes(tensor, 3, "per_channel") == 34 + 80
    assert min_max_bytes(torch.zeros(10), 3, "per_channel") == 4 + 8


@pytest.mark.parametrize("scheme", ["per_tensor", "per_channel"])
@pytest.mark.parametrize("bits", [8, 6, 4])
def test_a_size_is_the_same_handed_in_as_on_the_curve(scheme, bits):
    tensor = torch.randn(12, 7, 5, 5, generator=torch.Generator().manual_seed(bits))
    rounded = min_max(tensor, bits, scheme)
    assert len(tensor_bytes(rounded, bits)) == min_max_bytes(tensor, bits, scheme)


class Net(nn.Module):
    """Images of class c light pixel c; row 9 of the layer is a hundred times the others, so that they share a level."""

    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm1d(10, affine=False)
        self.fc = nn.Linear(10, 10, bias=False)
        with torch.no_grad():
            self.fc.weight.copy_(torch.eye(10))
            self.fc.weight[9, 9] = 100.0

    def forward(self, x):
        return self.fc(self.bn(x[:, 0].flatten(1)[:, :10]))


def test_the_curve_of_a_network_that_can_be_worked_out_by_hand(tmp_path):
    student = networked(Net(), tmp_path)
    graded = images_of(range(10))
    found = QuantizationCurve().evaluate(student, context(QuantizationOptions(bits=(8, 3)), examples=graded))
    (curve,) = found.curves
    assert (curve.name, curve.x, curve.y) == ("quantization", "canonical_bytes", "accuracy")
    per_tensor, per_channel = curve.series
    assert (per_tensor.label, per_channel.label) == ("min-max per tensor", "min-max per channel")
    # fc: 13 bytes of mask and 10 values; running_mean 2 (zeros); running_var 40 (ones); the count of batches 1 (zero)
    dense = 13 + 40 + 2 + 40 + 1
    half = 13 + 20 + 2 + 20 + 1
    assert len(canonical(student)) == dense
    # ones and zeros survive at any width. Per tensor at 8 bits, 1 is 2.55 levels of 100/255; at 3 bits it is none.
    assert per_tensor.points == (
        (dense, 1.0),
        (half, 1.0),
        (100 + 8 + 2 * (10 + 8) + 1, 1.0),
        (38 + 8 + 2 * (4 + 8) + 1, 0.2),
    )
    assert per_channel.points == (
        (dense, 1.0),
        (half, 1.0),
        (100 + 80 + 2 * (10 + 8) + 1, 1.0),
        (38 + 80 + 2 * (4 + 8) + 1, 1.0),
    )
    assert per_tensor.bits == per_channel.bits == (32, 16, 8, 3)
    assert len(per_tensor.low) == len(per_tensor.high) == 4
    assert found.checks == ()
    assert found.metrics == {}
    assert student.calls == 2 + 4  # dense and fp16 once


def test_statistics_are_rounded_and_scalars_are_not(tmp_path):
    student = networked(Net(), tmp_path)
    student.weights = {
        "bn.running_mean": torch.linspace(0, 1, 10), "bn.num_batches_tracked": torch.tensor(7),
        "bn.running_var": torch.ones(10), "fc.weight": torch.eye(10),
    }  # fmt: skip
    sent = []
    student.logits = lambda images, weights=None: sent.append(weights) or torch.eye(10)
    options = QuantizationOptions(schemes=("per_tensor",), bits=(1,), fp16=False)
    QuantizationCurve().evaluate(student, context(options, examples=images_of(range(10))))
    assert len(sent) == 2
    assert sent[1]["bn.running_mean"].tolist() == [0.0] * 5 + [1.0] * 5
    assert sent[1]["bn.num_batches_tracked"] == 7


@dataclass
class Fragile(Networked):
    """Fails on float16 values, and on eight or fewer distinct ones."""

    def logits(self, images, weights=None, *, batch_size=64):
        matrix = self.weights["fc.weight"] if weights is None else weights["fc.weight"]
        if matrix.half().float().equal(matrix):
            raise SubmissionError("rejected", "forward returned NaN")
        if len(matrix.unique()) <= 2**3:
            raise SubmissionError("timed_out", "too slow")
        return super().logits(images, weights, batch_size=batch_size)


def test_what_cannot_be_measured_is_left_out_with_a_reason(tmp_path):
    network = Net()
    with torch.no_grad():
        network.fc.weight.copy_(torch.eye(10) + torch.rand(10, 10, generator=torch.Generator().manual_seed(0)) / 10)
    student = networked(network, tmp_path, Fragile)
    options = QuantizationOptions(schemes=("per_tensor",), bits=(12, 3, 2))
    found = QuantizationCurve().evaluate(student, context(options, examples=images_of(range(10))))
    (line,) = found.curves[0].series
    assert line.bits == (32, 12)
    assert [y for _, y in line.points] == [1.0, 1.0]
    (check,) = found.checks
    assert (check.name, check.verdict) == ("quantization_curve", "could_not_check")
    assert check.reason == "fp16: forward returned NaN; min-max per tensor: at 3 bits, too slow"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bits": (4, 8)}, "descending"),
        ({"bits": (8, 8)}, "descending"),
        ({"bits": (0,)}, "greater than"),
        ({"bits": (17,)}, "less than"),
        ({"bits": ()}, "at least 1"),
        ({"schemes": ("per_row",)}, "per_tensor"),
        ({"schemes": ("per_tensor", "per_tensor")}, "twice"),
        ({"images": 0}, "greater than 0"),
        ({"bit": 8}, "Extra inputs"),
    ],
)
def test_options_are_refused_with_a_reason(options, message):
    with pytest.raises(ValueError, match=message):
        QuantizationOptions(**options)
