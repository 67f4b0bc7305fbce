"""Weights as the courses' own code writes them, and what only looks like weights."""

from __future__ import annotations

import io
import itertools
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from harness_formats import containers as harness_formats
from harness_formats import hw7_pickles as harness_hw7_pickles
from safetensors.torch import save_file
from torch import nn

from harness.errors import SubmissionError
from harness.plugins import Plugins
from harness.worker.decoding import decode_weights

torch.set_num_threads(1)
FORMATS = Plugins.of(harness_formats, harness_hw7_pickles).weight_formats


def state() -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(7)
    return {
        "conv.weight": rng.normal(size=(4, 3, 3, 3)),
        "conv.bias": np.full(4, 0.25),  # max = min
        "bn.running_var": rng.uniform(size=4),
        "bn.num_batches_tracked": np.array(12.0),
    }


def encode8(values: dict[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    """HW7's sample code, with the guard that a constant tensor needs."""
    custom: dict[str, Any] = {}
    for name, value in values.items():
        param = np.float64(value)
        if isinstance(param, np.ndarray):
            low, high = np.min(param), np.max(param)
            span = (high - low) or np.float64(1)
            custom[name] = (low, high, np.uint8(np.round((param - low) / span * 255)))
        else:
            custom[name] = param
    return custom


def encode16(values: dict[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    custom: dict[str, Any] = {}
    for name, value in values.items():
        param = np.float64(value)
        custom[name] = np.float16(param) if isinstance(param, np.ndarray) else param
    return custom


def as_numpy_1(data: bytes) -> bytes:
    """The same pickle under NumPy 1's name of the module. In protocol 4 the name carries its length."""
    for new, old in ((b"numpy._core.multiarray", b"numpy.core.multiarray"),):
        data = data.replace(b"c" + new, b"c" + old)
        data = data.replace(b"\x8c" + bytes([len(new)]) + new, b"\x8c" + bytes([len(old)]) + old)
    return data


def unframed(value: Any, protocol: int) -> bytes:
    """Without protocol 4's frames, whose lengths would change with the spelling."""
    buffer = io.BytesIO()
    pickler = pickle._Pickler(buffer, protocol)
    pickler.framer.start_framing = lambda: None  # type: ignore[attr-defined]
    pickler.dump(value)
    return buffer.getvalue()


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("numpy_1", [False, True])
def test_hw7_8_bit_decodes_as_the_formula_says(protocol: int, numpy_1: bool, tmp_path: Path) -> None:
    encoded = encode8(state())
    assert type(encoded["conv.weight"][0]) is np.float64
    data = as_numpy_1(unframed(encoded, protocol)) if numpy_1 else pickle.dumps(encoded, protocol)
    assert (b"numpy.core" in data) == numpy_1
    (tmp_path / "w").write_bytes(data)
    decoded = decode_weights(tmp_path / "w", FORMATS)
    assert list(decoded.tensors) == list(encoded)
    for name, value in encoded.items():
        low, high, levels = value if isinstance(value, tuple) else (value, value, None)
        expected = value if levels is None else levels.astype(np.float64) / 255 * (high - low) + low
        assert decoded.tensors[name].dtype == torch.float32
        np.testing.assert_array_equal(decoded.tensors[name].numpy(), np.float32(expected))
    assert decoded.bits == {"conv.weight": 8, "conv.bias": 8, "bn.running_var": 8, "bn.num_batches_tracked": 64}
    assert float(decoded.tensors["conv.bias"][0]) == 0.25
    assert decoded.tensors["bn.num_batches_tracked"].shape == ()


def test_hw7_16_bit(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(pickle.dumps(encode16(state())))
    decoded = decode_weights(tmp_path / "w", FORMATS)
    for name, value in state().items():
        expected = np.float32(np.float16(value)) if value.ndim else np.float32(value)
        np.testing.assert_array_equal(decoded.tensors[name].numpy(), expected)
    assert set(decoded.bits.values()) == {16, 64}


def test_npz_of_a_dict_as_savez_compressed_writes_it(tmp_path: Path) -> None:
    weights = {f"module.{name}": np.float16(value) for name, value in state().items()}
    np.savez_compressed(tmp_path / "w.npz", weights=weights)  # type: ignore[arg-type]
    decoded = decode_weights(tmp_path / "w.npz", FORMATS)
    for name, value in weights.items():
        np.testing.assert_array_equal(decoded.tensors[name].numpy(), value)
    assert set(decoded.bits.values()) == {16}


def test_npz_of_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **{name: np.asfortranarray(value) for name, value in state().items()})  # type: ignore[arg-type]
    decoded = decode_weights(tmp_path / "w.npz", FORMATS)
    for name, value in state().items():
        np.testing.assert_array_equal(decoded.tensors[name].numpy(), value)


def test_safetensors_keeps_dtypes(tmp_path: Path) -> None:
    tensors = {"b": torch.randn(3).to(torch.bfloat16), "a": torch.randn(2, 2).half(), "n": torch.tensor(3)}
    save_file(tensors, tmp_path / "w")
    decoded = decode_weights(tmp_path / "w", FORMATS)
    assert decoded.format == "safetensors"
    assert decoded.storage_elements == 8
    for name, value in tensors.items():
        assert torch.equal(decoded.tensors[name], value)
        assert decoded.bits[name] == 8 * value.element_size()


class Trap:
    """Touches a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        import os

        return os.mkdir, (str(self.canary),)


def traps(folder: Path, canary: Path) -> dict[str, Path]:
    """A booby-trapped file of each format that can carry one."""
    trap = Trap(canary)
    torch.save({"w": trap}, folder / "zip")
    torch.save({"w": trap}, folder / "legacy", _use_new_zipfile_serialization=False)
    for protocol in (2, 3, 4, 5):
        (folder / f"pickle{protocol}").write_bytes(pickle.dumps({"w": trap}, protocol))
    (folder / "pickle0").write_bytes(pickle.dumps({"w": trap}, 0))
    np.savez(folder / "npz.npz", weights=np.array({"w": trap}, dtype=object))
    return {each.name: each for each in folder.iterdir()}


def test_booby_traps_are_recognised_without_running_and_refused(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    canary = tmp_path / "canary"
    found = traps(tmp_path / "files", canary)
    assert len(found) == 8
    for path in found.values():
        with path.open("rb") as file:
            assert any(each.recognises(file) for each in FORMATS.values()), path
        with pytest.raises(SubmissionError):
            decode_weights(path, FORMATS)
        assert not canary.exists(), path


def _zip(**members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return buffer.getvalue()


NOT_WEIGHTS = {
    "source": b"import torch\nprint('done.')\n# the end.",
    "notebook": json.dumps({"cells": [], "nbformat": 4}).encode(),
    "toml": b'nickname = "x"\n',
    "csv": b"id,pred\n0,3\n1,2\n",
    "readme": b"compressed\nnetworks\nare small.",
    "png": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "jpeg": b"\xff\xd8\xff\xe0" + bytes(64),
    "code zip": _zip(**{"hw/model.py": "x", "hw/data.pkl": "x"}),
    "empty zip": _zip(),
    "empty": b"",
    "short": b"PK",
    "torn zip": _zip(**{"archive/data.pkl": "x", "archive/version": "3"})[:-30],
    "json": b'{"a": 1}',
}


@pytest.mark.parametrize("kind", NOT_WEIGHTS)
def test_other_files_are_no_weights(kind: str) -> None:
    file = io.BytesIO(NOT_WEIGHTS[kind])
    assert [name for name, each in FORMATS.items() if each.recognises(file)] == []


@pytest.mark.filterwarnings("ignore")
def test_every_form_is_recognised_by_one_format_whatever_its_name(tmp_path: Path) -> None:
    tensors = {"a.weight": torch.zeros(2, 2)}
    torch.save(tensors, tmp_path / "a")
    torch.save(tensors, tmp_path / "b", _use_new_zipfile_serialization=False)
    save_file(tensors, tmp_path / "c")
    np.savez(tmp_path / "d.npz", a=np.zeros(2))
    (tmp_path / "e").write_bytes(pickle.dumps([1, 2]))
    torch.jit.script(torch.nn.ReLU()).save(tmp_path / "f")  # type: ignore[no-untyped-call]
    expected = ["torch-zip", "torch-legacy", "safetensors", "npz", "hw7-pickle", "torchscript"]
    for path, name in zip(sorted(tmp_path.iterdir()), expected, strict=True):
        with path.open("rb") as file:
            assert [each.name for each in FORMATS.values() if each.recognises(file)] == [name]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([1, 2], "holds a list"),
        ({"a": "text"}, "not weights"),
        ({"a": (0.0, float("inf"), np.zeros(2, np.uint8))}, "not finite"),
        ({"a": ("x", 1.0, np.zeros(2, np.uint8))}, "not two numbers"),
        ({"a": np.array([b"x"], dtype=object)}, "not weights"),
        ({1: 2.0}, "holds a dict"),
        ({"a": complex(1)}, "builtins.complex"),
    ],
)
def test_other_pickles_are_refused_with_a_reason(content: Any, reason: str, tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(pickle.dumps(content))
    with pytest.raises(SubmissionError, match=reason):
        decode_weights(tmp_path / "w", FORMATS)


def test_a_deflated_torch_zip_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1000)}, tmp_path / "plain")
    with zipfile.ZipFile(tmp_path / "plain") as old, zipfile.ZipFile(tmp_path / "w", "w") as new:
        for info in old.infolist():
            new.writestr(info.filename, old.read(info), zipfile.ZIP_DEFLATED)
    with pytest.raises(SubmissionError, match="compressed"):
        decode_weights(tmp_path / "w", FORMATS)


class DefaultStudent(nn.Module):
    """The 256,779-parameter network of HW7's sample code: its names decide the bytes of the pickle's keys."""

    def __init__(self) -> None:
        super().__init__()
        widths = [16, 32, 64, 128, 256, 256, 256, 256]
        blocks = [nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1), nn.BatchNorm2d(16), nn.ReLU6(), nn.MaxPool2d(2))]
        for index, (before, after) in enumerate(itertools.pairwise(widths)):
            depthwise = nn.Conv2d(before, before, 3, 1, 1, groups=before)
            block = [depthwise, nn.BatchNorm2d(before), nn.ReLU6(), nn.Conv2d(before, after, 1)]
            blocks.append(nn.Sequential(*block, *([nn.MaxPool2d(2)] if index < 3 else [])))
        self.cnn = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1))
        self.fc = nn.Sequential(nn.Linear(256, 11))


@pytest.mark.parametrize(("protocol", "published"), [(3, 268_472), (4, 265_259)])
def test_the_default_student_takes_the_published_bytes(protocol: int, published: int, tmp_path: Path) -> None:
    network = DefaultStudent()
    assert sum(each.numel() for each in network.parameters()) == 256_779
    arrays = {name: each.numpy() for name, each in network.state_dict().items()}
    data = pickle.dumps(encode8(arrays), protocol)
    # A few bytes either way: the spelling of NumPy's module, and equal numbers that a pickle stores once.
    assert abs(len(data) - published) <= 8
    (tmp_path / "w").write_bytes(data)
    assert len(decode_weights(tmp_path / "w", FORMATS).tensors) == len(arrays)
