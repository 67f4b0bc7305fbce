"""Weights files that run something when they are unpickled: nobody unpickles them, and they get an outcome."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hand_ins import graded, hand_in, linear, sandbox_called, small_assignment

from harness.values.results import Result
from harness.worker import pickles

torch.set_num_threads(1)


class Trap:
    def __init__(self, canary: Path) -> None:
        self.command = f"import pathlib; pathlib.Path({str(canary)!r}).write_text('unpickled')"

    def __reduce__(self):
        return exec, (self.command,)


def trapped_files(canary: Path) -> Iterator[tuple[str, bytes]]:
    trap, state = Trap(canary), dict(linear().state_dict())
    for name, content in (
        ("torch-zip", {**state, "extra": trap}),
        ("checkpoint", {"model_state_dict": state, "epoch": 3, "optimizer": trap}),
        ("whole-trap", trap),
    ):
        buffer = io.BytesIO()
        torch.save(content, buffer)
        yield name, buffer.getvalue()
    buffer = io.BytesIO()
    torch.save({**state, "extra": trap}, buffer, _use_new_zipfile_serialization=False)
    yield "torch-legacy", buffer.getvalue()
    for protocol in (0, 4):
        arrays = {name: each.numpy() for name, each in state.items()}
        yield f"hw7-pickle-{protocol}", pickle.dumps({**arrays, "extra": trap}, protocol=protocol)
    buffer = io.BytesIO()
    np.savez(buffer, **{name: each.numpy() for name, each in state.items()}, extra=np.array(trap, dtype=object))
    yield "npz", buffer.getvalue()


TRAPS = ("torch-zip", "checkpoint", "whole-trap", "torch-legacy", "hw7-pickle-0", "hw7-pickle-4", "npz")


@pytest.fixture(scope="module")
def trapped(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Result], list[str], Path]:
    """Results, what the grader's process unpickled, and the canary."""
    sandbox = sandbox_called("bwrap")
    folder = tmp_path_factory.mktemp("trapped")
    assignment = small_assignment(folder / "assignment", ["accuracy", "model_size"])
    paths = []
    for name, content in trapped_files(folder / "canary"):
        paths.append(folder / name)
        hand_in(paths[-1])
        (paths[-1] / "weights.pt").write_bytes(content)
    calls: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in (
            (pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (pickle, "_Unpickler"), (torch, "load"),
            (pickles, "unpickle_arrays"), (pickles._ArraysOnly, "find_class"), (pickles._ArraysOnly, "load"),
        ):  # fmt: skip
            patch.setattr(owner, name, lambda *_, which=f"{owner.__name__}.{name}", **__: calls.append(which))
        _listening.append(calls)
        results = graded(assignment, paths, sandbox)
        _listening.remove(calls)
    return results, calls, folder / "canary"


_listening: list[list[str]] = []


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if event == "pickle.find_class" and _listening:
        _listening[-1].append(f"find_class {arguments}")


def setup_module() -> None:
    import sys

    sys.addaudithook(_audit)  # cannot be removed again, but hears nothing outside the fixture


def test_the_traps_work(tmp_path):
    canary = tmp_path / "canary"
    files = dict(trapped_files(canary))
    assert tuple(files) == TRAPS
    for name, content in files.items():
        with pytest.MonkeyPatch.context() as patch:
            heard: list[str] = []
            patch.setitem(globals(), "_listening", [heard])
            if name.startswith("hw7"):
                pickle.loads(content)
            elif name == "npz":
                np.load(io.BytesIO(content), allow_pickle=True)["extra"]
            else:
                torch.load(io.BytesIO(content), weights_only=False)
        assert canary.read_text() == "unpickled"
        assert heard
        canary.unlink()


@pytest.mark.parametrize("name", TRAPS)
def test_a_booby_trapped_weights_file_springs_nowhere(trapped, name):
    results, calls, canary = trapped
    assert not canary.exists()
    assert calls == []
    assert results[name].status in ("graded", "rejected")
    assert results[name].reason or results[name].status == "graded"


def test_what_is_left_of_a_trapped_file_is_graded_where_it_is_a_checkpoint(trapped):
    assert trapped[0]["checkpoint"].status == "graded"
    assert trapped[0]["whole-trap"].status == "rejected"
