"""What is kept of weights: their order, values to 8 bits whatever their scale, and digests of what they were exactly."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.store import weights as kept


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "weights.pt"
    path.write_bytes(b"as handed in")
    return path


def back(weights: dict[str, Tensor], file) -> kept.Kept:
    data = kept.packed(weights, kept.file_digest(file))
    assert data is not None
    return kept.unpacked(data)


def test_names_order_and_values_come_back(file):
    torch.manual_seed(0)
    many = {f"layer.{number}": torch.randn(3, number + 1) for number in reversed(range(12))}
    weights = {"__metadata__": torch.randn(4, 5), "名前\x1b[1m": torch.randn(7).double(), **many}
    found = back(weights, file)
    assert list(found.weights) == list(weights)
    for name, each in weights.items():
        assert found.weights[name].dtype == np.float32
        # bfloat16 rounds to 8 significant bits.
        np.testing.assert_allclose(found.weights[name], each.numpy(), rtol=2**-8)
    assert found.file_digest == hashlib.sha256(b"as handed in").hexdigest()


def test_no_scale_is_lost(file):
    values = torch.tensor([1e-30, -3e-12, 2.5, 7e20])
    np.testing.assert_allclose(back({"w": values}, file).weights["w"], values.numpy(), rtol=2**-8)


def test_only_numbers_that_say_something_are_kept(file):
    weights = {
        "bn.num_batches_tracked": torch.tensor(7),
        "empty": torch.zeros(0, 3),
        "zeros": torch.zeros(5),
        "w": torch.arange(6.0).reshape(2, 3),
    }
    found = back(weights, file)
    assert list(found.weights) == ["zeros", "w"]
    assert list(found.digests) == ["w"]


def test_digests_are_of_exact_values_in_any_precision(file):
    torch.manual_seed(0)
    whole = torch.randn(6, 4)
    halves = whole.half()
    weights = {
        "whole": whole,
        "next": whole * (1 + 1e-6),
        "halves": halves,
        "halves again": halves.float(),
        "transposed": halves.T,
        "flat": halves.reshape(-1),
    }
    digests = back(weights, file).digests
    assert digests["halves"] == digests["halves again"]
    assert len(set(digests.values())) == len(weights) - 1


def test_shared_and_sliced_tensors_are_kept_as_they_are(file):
    base = torch.randn(8, 8, dtype=torch.bfloat16)
    found = back({"one": base, "tied": base, "part": base[::2, 1:]}, file).weights
    np.testing.assert_array_equal(found["one"], found["tied"])
    np.testing.assert_array_equal(found["part"], base[::2, 1:].float().numpy())


def test_too_many_are_not_kept(file, monkeypatch):
    monkeypatch.setattr(kept, "MAX_ELEMENTS", 10)
    assert kept.packed({"a": torch.ones(10)}, kept.file_digest(file)) is not None
    assert kept.packed({"a": torch.ones(10), "b": torch.ones(1)}, kept.file_digest(file)) is None
