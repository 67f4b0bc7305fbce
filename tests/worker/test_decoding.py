"""What is found inside weights files, and what is refused."""

from __future__ import annotations

import argparse
import collections
import contextlib
import io
import pathlib
import pickle
import socket
import sys
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from harness_formats import containers as harness_formats
from harness_formats import hw7_pickles as harness_hw7_pickles
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from harness.errors import SubmissionError
from harness.plugins import Plugins
from harness.worker.checkpoints import load_pickle
from harness.worker.decoding import Decoded, decode_weights
from harness.worker.protocol import receive, send

torch.set_num_threads(1)
FORMATS = Plugins.of(harness_formats, harness_hw7_pickles).weight_formats


def net(width: int = 4) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.Flatten(), nn.Linear(width, 2))


def saved(folder: Path, content: Any, *, legacy: bool = False, **options: Any) -> Decoded:
    torch.save(content, folder / "w.bin", _use_new_zipfile_serialization=not legacy)
    return decode_weights(folder / "w.bin", FORMATS, **options)


def same(decoded: Decoded, module: nn.Module) -> bool:
    state = module.state_dict()
    return list(decoded.tensors) == list(state) and all(torch.equal(decoded.tensors[k], v) for k, v in state.items())


@pytest.mark.parametrize("legacy", [False, True])
def test_state_dicts_in_both_containers(legacy: bool, tmp_path: Path) -> None:
    decoded = saved(tmp_path, net().state_dict(), legacy=legacy)
    assert same(decoded, net())
    assert decoded.format == ("torch-legacy" if legacy else "torch-zip")
    assert decoded.storage_elements == sum(each.numel() for each in net().state_dict().values())
    assert decoded.bits["0.weight"] == 32
    assert decoded.notes == ()


def checkpoint(**more: Any) -> dict[str, Any]:
    module = net()
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.randn(2, 3, 3, 3)).sum().backward()
    state = {name: each.clone() for name, each in net().state_dict().items()}
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 3)
    return {
        "epoch": 3, "best_acc": np.float64(0.5), "history": np.arange(3), "loss": torch.tensor(0.1), "seen": {1, 2},
        "args": argparse.Namespace(lr=0.1, path=pathlib.Path("/content/x")), "log": collections.defaultdict(list),
        "optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict(), "model_state_dict": state, **more,
    }  # fmt: skip


@pytest.mark.parametrize("legacy", [False, True])
def test_training_checkpoints_are_judged_by_the_model_inside(legacy: bool, tmp_path: Path) -> None:
    decoded = saved(tmp_path, checkpoint(), legacy=legacy)
    assert same(decoded, net())
    assert "'model_state_dict' was taken" in decoded.notes[-1]
    assert not any("left out" in note for note in decoded.notes)  # torch's own safe loader was enough


@pytest.mark.parametrize("key", ["state_dict", "model", "net", "ema", "student", "whatever"])
def test_the_name_of_the_state_dict_varies(key: str, tmp_path: Path) -> None:
    assert same(saved(tmp_path, {"epoch": 1, key: net().state_dict()}), net())


def test_a_checkpoint_in_a_checkpoint(tmp_path: Path) -> None:
    assert same(saved(tmp_path, {"checkpoint": {"model": net().state_dict(), "epoch": 1}}), net())


def test_several_state_dicts_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="several state_dicts: first, second"):
        saved(tmp_path, {"first": net().state_dict(), "second": net(5).state_dict()})


def test_the_student_is_taken_beside_its_teacher(tmp_path: Path) -> None:
    assert same(saved(tmp_path, {"teacher": net(8).state_dict(), "student": net().state_dict()}), net())


@pytest.mark.parametrize("content", [[1, 2], {}, {"epoch": 3}, torch.zeros(3), [torch.zeros(3)], {"a": {"b": 1}}])
def test_files_without_a_model_are_refused(content: Any, tmp_path: Path) -> None:
    with pytest.raises(SubmissionError) as raised:
        saved(tmp_path, content)
    assert raised.value.status == "rejected"


@pytest.fixture
def students_module() -> Iterator[types.ModuleType]:
    """A module called `model`, as on the student's machine."""
    module = types.ModuleType("model")
    exec(  # the class must claim to live there
        "from torch import nn\nclass Net(nn.Module):\n  def __init__(self):\n    super().__init__()\n"
        "    self.fc = nn.Linear(3, 2)\n    self.bn = nn.BatchNorm1d(2)\n"
        "class Config(dict): pass\n",
        vars(module),
    )
    sys.modules["model"] = module
    yield module
    sys.modules.pop("model", None)


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source")
@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("known", [False, True])
def test_whole_pickled_modules(known: bool, legacy: bool, students_module: Any, tmp_path: Path) -> None:
    module = students_module.Net()
    torch.save(module, tmp_path / "w", _use_new_zipfile_serialization=not legacy)
    del sys.modules["model"]
    asked = []

    def resolve(where: str, name: str) -> object:
        asked.append((where, name))
        return getattr(students_module, name)

    decoded = decode_weights(tmp_path / "w", FORMATS, resolve if known else None)
    assert same(decoded, module)
    assert asked == ([("model", "Net")] if known else [])
    assert any("whole pickled module" in note for note in decoded.notes)


def test_classes_of_torchvision_are_known_beside_any_build_of_torch(tmp_path: Path) -> None:
    """No worker imports torchvision before something asks for it, and it may not fit the torch that is here."""
    (tmp_path / "w").write_bytes(b"ctorchvision.transforms.functional\nInterpolationMode\n.")
    found = load_pickle(tmp_path / "w")
    assert found.content.BILINEAR.value == "bilinear"
    assert not found.notes


def test_objects_of_absent_packages_do_not_matter(students_module: Any, tmp_path: Path) -> None:
    torch.save({"config": students_module.Config(lr=1), "model": net().state_dict()}, tmp_path / "w")
    del sys.modules["model"]
    decoded = decode_weights(tmp_path / "w", FORMATS)
    assert same(decoded, net())
    assert "left out of the weights file: model.Config" in decoded.notes


class Trap:
    def __reduce__(self) -> Any:
        import os

        return os.mkdir, ("canary",)


def test_a_trap_beside_good_weights_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    decoded = saved(tmp_path, {"model": net().state_dict(), "extra": Trap()}, resolve_class=lambda *_: None)
    assert same(decoded, net())
    assert not (tmp_path / "canary").exists()
    assert any("mkdir" in note for note in decoded.notes)


def test_tied_weights_are_aliases_and_views_of_one_buffer_are_not(tmp_path: Path) -> None:
    flat = torch.arange(10.0)
    weight = torch.randn(3, 3)
    decoded = saved(tmp_path, {"a": weight, "b": weight, "t": weight.t(), "x": flat[:5], "y": flat[5:]})
    assert decoded.aliases == (("a", "b", "t"),)
    assert decoded.storage_elements == 9 + 10
    assert torch.equal(decoded.tensors["t"], weight.t())
    assert decoded.tensors["a"].data_ptr() != decoded.tensors["b"].data_ptr()
    assert all(each.is_contiguous() for each in decoded.tensors.values())


def test_padded_storages_show(tmp_path: Path) -> None:
    decoded = saved(tmp_path, {"a.weight": torch.zeros(1000)[:10]})
    assert decoded.storage_elements == 1000
    assert decoded.tensors["a.weight"].untyped_storage().nbytes() == 40


def test_parts_of_larger_tensors_are_told_how_to_be_saved(tmp_path: Path) -> None:
    decoded = saved(tmp_path, {"a.weight": torch.zeros(50_000)[:10]})
    assert "50,000 numbers for 10 that are used" in decoded.notes[-1]
    assert "each.clone()" in decoded.notes[-1]
    with pytest.raises(SubmissionError, match=r"200,000 bytes for 40 that are used") as raised:
        saved(tmp_path, {"a.weight": torch.zeros(50_000)[:10]}, max_bytes=10_000)
    assert "each.clone()" in str(raised.value.hint)
    assert saved(tmp_path, {"a.weight": torch.zeros(15_000)[:10_000]}).notes == ()


def test_versions_come_along(tmp_path: Path) -> None:
    assert saved(tmp_path, net().state_dict()).versions["1"] == 2
    assert saved(tmp_path, {"model": net().state_dict()}).versions["1"] == 2
    assert saved(tmp_path, {name: each.clone() for name, each in net().state_dict().items()}).versions == {}
    odd = net().state_dict()
    odd._metadata = {"a": {"version": "x"}, "b": None, "c": {"version": 3}, 4: {"version": 1}}  # type: ignore[attr-defined]
    assert saved(tmp_path, odd).versions == {"c": 3}


@pytest.mark.parametrize("legacy", [False, True])
def test_expanded_giants_are_refused_before_they_unfold(legacy: bool, tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="10,000,000,000 elements"):
        saved(tmp_path, {"a.weight": torch.zeros(1).expand(100_000, 100_000)}, legacy=legacy)
    with pytest.raises(SubmissionError, match="elements"):
        saved(tmp_path, {"a.weight": torch.zeros(100)}, max_elements=50)


def test_unusual_tensors(tmp_path: Path) -> None:
    content = {
        "parameter": nn.Parameter(torch.ones(2)), "mask": torch.tensor([True, False]), "half": torch.ones(2).half(),
        "sparse": torch.eye(3).to_sparse(), "int8": torch.ones(3, dtype=torch.int8), "array": np.ones(2, ">f4"),
    }  # fmt: skip
    decoded = saved(tmp_path, content)
    assert all(type(each) is torch.Tensor and not each.requires_grad for each in decoded.tensors.values())
    assert torch.equal(decoded.tensors["sparse"], torch.eye(3))
    assert decoded.tensors["mask"].dtype == torch.uint8
    assert [decoded.bits[name] for name in content] == [32, 8, 16, 32, 8, 32]
    assert {"bool tensors were read as uint8", "sparse tensors were made dense"} <= set(decoded.notes)
    with pytest.raises(SubmissionError, match="complex"):
        saved(tmp_path, {"a.weight": torch.ones(2, dtype=torch.complex64)})


def test_quantised_tensors_are_dequantised(tmp_path: Path) -> None:
    values = torch.tensor([0.0, 0.5, 1.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, and still in files
        quantised = torch.quantize_per_tensor(values, 0.5, 0, torch.quint8)
    decoded = saved(tmp_path, {"a.weight": quantised})
    assert torch.equal(decoded.tensors["a.weight"], values)
    assert decoded.bits["a.weight"] == 8


@pytest.mark.filterwarnings("ignore")
def test_torchscript_is_refused(tmp_path: Path) -> None:
    torch.jit.script(nn.ReLU()).save(tmp_path / "w")  # type: ignore[no-untyped-call]
    with pytest.raises(SubmissionError, match="TorchScript"):
        decode_weights(tmp_path / "w", FORMATS)


@settings(max_examples=60)
@given(data=st.data())
def test_damaged_files_are_refused_and_nothing_else(tmp_path: Path, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["zip", "legacy", "pickle", "npz"]))
    path = tmp_path / "w.npz"
    small = {"a.weight": torch.ones(3)}
    if kind == "npz":
        np.savez(path, weights=np.array({"a": np.ones(3)}, dtype=object))
    elif kind == "pickle":
        path.write_bytes(pickle.dumps({"a": np.ones(3, np.float16)}))
    else:
        torch.save(small, path, _use_new_zipfile_serialization=kind == "zip")
    damaged = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(damaged[: data.draw(st.integers(len(damaged) // 2, len(damaged)))]))
    try:
        decoded = decode_weights(path, FORMATS)
    except (SubmissionError, MemoryError):
        return
    assert decoded.tensors


def numbers_of_every_type() -> dict[str, torch.Tensor]:
    """As far as torch makes and writes them."""
    found = {}
    for dtype in {each for each in vars(torch).values() if isinstance(each, torch.dtype) and not each.is_complex}:
        with contextlib.suppress(RuntimeError, NotImplementedError, KeyError, TypeError):
            numbers = (
                torch.zeros(8, dtype=torch.uint8).view(dtype) if dtype.itemsize == 1 else torch.zeros(4, dtype=dtype)
            )
            torch.save(numbers, io.BytesIO())
            found[str(dtype)] = numbers
    return found


def test_numbers_of_every_type_are_read_and_sent_or_refused_by_their_type(tmp_path: Path) -> None:
    refused = set()
    for name, numbers in numbers_of_every_type().items():
        try:
            read = saved(tmp_path, {"a.weight": numbers}).tensors
        except SubmissionError:
            refused.add(name)
            continue
        near, far = socket.socketpair()
        with near, far:
            send(near, "done", {}, read)
            got = receive(far, max_payload_bytes=10_000).tensors["a.weight"]
        assert (got.dtype, got.shape) == (read["a.weight"].dtype, read["a.weight"].shape), name
    assert "torch.float8_e8m0fnu" in refused
    assert not {"torch.float8_e4m3fn", "torch.float8_e5m2", "torch.bfloat16", "torch.uint16"} & refused
