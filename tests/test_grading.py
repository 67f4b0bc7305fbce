"""Whole classes through the real sandbox: everyone gets an outcome of their own, and right ones get right numbers."""

from __future__ import annotations

import gzip
import importlib.util
import io
import json
import os
import pickle
import random
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import hand_ins
import numpy as np
import psutil
import pytest
import torch
from hand_ins import HONEST, REPOSITORY, graded, hand_in, linear, processes_with, sandbox_called, small_assignment
from PIL import Image
from torch import nn

from harness.assignment.loading import load
from harness.grading.events import GradingEvents, Progress
from harness.grading.grader import grade_all
from harness.submission.discovery import discover
from harness.torchvision_import import import_torchvision
from harness.values.results import Result
from harness.worker import pickles

torch.set_num_threads(1)
MARKER = f"harness-test-{os.getpid()}-{random.randrange(10**9)}"
MEMORY_BYTES = 800 * 2**20 + random.randrange(2**20)
"""Stands in every worker's command line, so it finds the workers of this run."""


def in_forward(statement: str, before: str = "") -> str:
    changed = HONEST.replace("        return self.fc", f"        {statement}\n        return self.fc")
    return changed.replace("class StudentNet", f"{before}\nclass StudentNet")


def in_class_body(statement: str) -> str:
    return HONEST.replace("    def __init__", f"    {statement}\n    def __init__", 1)


FORGERY = """
import json, os, socket, struct

def frame(kind, facts, payload=b"", order=()):
    header = json.dumps({"kind": kind, "facts": facts, "order": list(order)}).encode()
    return struct.pack("<IQ", len(header), len(payload)) + header + payload

def say(data):
    for descriptor in range(3, 256):
        try:
            channel = socket.socket(fileno=os.dup(descriptor))
            channel.sendall(data)
        except OSError:
            continue
"""
FLOAT8 = json.dumps({"fc.weight": {"dtype": "F8_E4M3", "shape": [4, 192], "data_offsets": [0, 768]},
                     "fc.bias": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [768, 772]}}).encode()  # fmt: skip
FORGED_TENSORS = f"""say(
        frame("done", {{"source": "x", "notes": []}})
        + frame("done", {{"format": "x", "bits": {{}}, "aliases": [], "storage_elements": 1, "notes": []}},
                struct.pack("<Q", {len(FLOAT8)}) + {FLOAT8!r} + bytes(772), ["fc.weight", "fc.bias"])
        + frame("done", {{"state": {{"fc.weight": [4, 192], "fc.bias": [4]}}, "parameters": []}}))"""

# name -> (source, expected status, words the reason must contain)
TROUBLE: dict[str, tuple[str, str, str]] = {
    "a-loop": (in_forward("while True: pass"), "timed_out", "stopped after 6 s while building the network"),
    "late-loop": (in_forward("while len(x) > 2: pass"), "timed_out", "stopped after 6 s while running forward"),
    "crash": (in_class_body('width = int("wide")'), "crashed", "ValueError: invalid literal"),
    "deep": (in_forward("self.forward(x)"), "crashed", "RecursionError"),
    "exit": (in_forward("if len(x) > 2: import os; os._exit(3)"), "crashed", "ended with exit code 3 while running forw"),
    "forged-nonsense": (in_forward("say(b'\\xff' * 64)", FORGERY), "crashed", "wrote over its own answers"),
    "forged-facts": (in_forward("say(frame('done', {'state': 5}))", FORGERY), "crashed", "wrote over its own answers"),
    "forged-notes": (
        in_forward("if len(x) > 2: say(frame('done', {'notes': 5}))", FORGERY), "crashed", "wrote over its own answers",
    ),
    "forged-status": (
        in_forward("say(frame('failed', {'status': 'harness_error', 'reason': ['a'], 'hint': 7}))", FORGERY),
        "crashed", "['a']",
    ),
    "forged-tensors": (
        f"{FORGERY}{in_class_body(FORGED_TENSORS)}", "crashed", "wrote over its own answers"
    ),
    "hog": (
        in_forward("hoard = [torch.ones(2**25) for _ in range(64)]"), "out_of_memory", "memory",
    ),
    "huge": (in_forward("torch.ones(2**40)"), "out_of_memory", "memory ran out"),
    "nan": (in_forward("return self.fc(x.flatten(1)) * float('nan')"), "rejected", "NaN or infinite logits for 40 of 40"),
    "quits": (in_class_body("import sys; sys.exit(4)"), "crashed", "SystemExit: 4"),
    "replaced": (
        in_forward("import os, sys; os.execv(sys.executable, [sys.executable, '-c', 'pass'])"),
        "crashed", "PermissionError",
    ),
    "segfault": (in_forward("import ctypes; ctypes.string_at(0)"), "crashed", "SIGSEGV"),
    "shape": (in_forward("return x.flatten(1)[:, :3]"), "rejected", "expected logits of shape [40, 4]"),
    "stays": (
        in_forward(
            "import os, subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)', "
            f"'{MARKER}'], start_new_session=True); os._exit(0)"
        ),
        "crashed", "PermissionError",
    ),
    "syntax": ("def StudentNet(:\n", "rejected", "model.py"),
}  # fmt: skip
PRINTS = in_forward(r"print('\x1b[2J\x1b]0;owned\x07' * 100_000, flush=True)")


@pytest.fixture(scope="module")
def trouble(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Result], list[str], Path]:
    """A class of troublemakers and four honest hand-ins; also the order in which results came."""
    sandbox = sandbox_called("bwrap")
    folder = tmp_path_factory.mktemp("trouble")
    limits = {"build_seconds": 6, "forward_seconds": 6, "memory_bytes": MEMORY_BYTES}
    assignment = small_assignment(folder / "assignment", **limits)
    for name, (source, _, _) in TROUBLE.items():
        hand_in(folder / name, source)
    hand_in(folder / "honest", state=linear(1).state_dict())
    hand_in(folder / "honest-too", state=linear(2).state_dict())
    hand_in(folder / "prints", PRINTS)
    hand_in(folder / "no-weights")
    (folder / "no-weights" / "weights.pt").unlink()
    hand_in(folder / "nan-weights", state={"fc.weight": torch.full((4, 192), float("nan")), "fc.bias": torch.zeros(4)})
    hand_in(folder / "zz-misfit", state={"fc.weight": torch.zeros(4, 100), "fc.bias": torch.zeros(4)})
    names = sorted(path.name for path in folder.iterdir() if path.name != "assignment")
    sandbox.close()
    before = set(psutil.Process().children(recursive=True))
    order: list[str] = []
    results = {}
    submissions = discover([folder / name for name in names], mode="single")
    for result in grade_all(assignment, submissions, plugins=hand_ins.PLUGINS, sandbox=sandbox, jobs=2):
        order.append(result.submission)
        results[result.submission] = result
    sandbox.close()
    assert set(psutil.Process().children(recursive=True)) == before
    return results, order, folder


@pytest.mark.parametrize("name", TROUBLE)
def test_everyone_gets_a_status_and_a_reason_of_their_own(trouble, name):
    result = trouble[0][name]
    _, status, words = TROUBLE[name]
    assert (result.status, result.score) == (status, 0)
    assert words in result.reason
    assert result.metrics == {}


def test_weights_that_are_missing_broken_or_of_another_network(trouble):
    results = trouble[0]
    assert results["no-weights"].status == "rejected"
    assert results["no-weights"].reason == "there is no weights file"
    assert "torch.save(model.state_dict()" in results["no-weights"].hint
    assert results["nan-weights"].status == "rejected"
    assert "NaN or infinite numbers in 'fc.weight'" in results["nan-weights"].reason
    assert results["zz-misfit"].status == "rejected"
    assert "fc.weight" in results["zz-misfit"].reason


def test_the_honest_ones_are_graded_whatever_the_others_do(trouble):
    results, order, folder = trouble
    images, labels = idx(next(folder.rglob("*images-idx3*")), 3), idx(next(folder.rglob("*labels-idx1*")), 1)
    pixels = torch.tensor(images).float()[:, None].expand(-1, 3, -1, -1)
    for name, seed in (("honest", 1), ("honest-too", 2), ("prints", 0)):
        with torch.no_grad():
            predicted = linear(seed).fc(((pixels / 255 - 0.5) / 0.5).flatten(1)).argmax(1).numpy()
        assert results[name].status == "graded"
        assert results[name].predictions == tuple(predicted.tolist())
        assert results[name].metrics["accuracy"].value == (predicted == labels).mean()
    assert sorted(order) == sorted(results)


def test_results_come_as_they_are_finished(trouble):
    # The endless loop was handed in first.
    assert trouble[1][0] != "a-loop"


def test_nothing_of_a_class_is_our_own_failure(trouble):
    assert [name for name, result in trouble[0].items() if result.status == "harness_error"] == []


def test_prints_are_capped_and_cannot_reach_a_terminal_through_json(trouble):
    result = trouble[0]["prints"]
    assert "\x1b[2J" in result.printed
    assert len(result.printed.encode()) <= 2**16
    assert "\x1b" not in result.to_json()


def test_no_process_survives(trouble):
    assert processes_with(MARKER) == []
    assert processes_with(str(MEMORY_BYTES)) == []


def test_without_a_wall_the_limits_still_hold(tmp_path):
    limits = {"build_seconds": 6, "forward_seconds": 6, "memory_bytes": MEMORY_BYTES + 2**20}
    assignment = small_assignment(tmp_path / "assignment", **limits)
    for name in ("a-loop", "exit", "hog"):
        hand_in(tmp_path / name, TROUBLE[name][0])
    names = ["a-loop", "exit", "hog", "honest"]
    hand_in(tmp_path / "honest")
    results = graded(assignment, [tmp_path / name for name in names], sandbox_called("none"))
    for name in names[:3]:
        assert results[name].status == TROUBLE[name][1]
        assert TROUBLE[name][2] in results[name].reason
    assert results["honest"].status == "graded"
    assert processes_with(str(MEMORY_BYTES + 2**20)) == []


def test_closing_early_ends_what_is_running(tmp_path):
    marked = MEMORY_BYTES + 2**21
    assignment = small_assignment(tmp_path / "assignment", build_seconds=60, memory_bytes=marked)
    looping = threading.Event()

    class Watching(GradingEvents):
        def on_progress(self, step: Progress) -> None:
            if step.submission == "loop" and step.stage == "building":
                looping.set()

    paths = [hand_in(tmp_path / "honest"), hand_in(tmp_path / "loop", TROUBLE["a-loop"][0]), hand_in(tmp_path / "zz")]
    running = grade_all(
        assignment,
        discover(paths, mode="single"),
        plugins=hand_ins.PLUGINS,
        sandbox=sandbox_called("bwrap"),
        jobs=2,
        events=Watching(),
    )
    assert next(running).submission == "honest"
    assert looping.wait(40)
    time.sleep(0.5)
    started = time.monotonic()
    running.close()
    assert time.monotonic() - started < 5
    assert processes_with(str(marked)) == []
    assert list(running) == []


# Booby traps: each writes the canary when it is unpickled by anyone.


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


# The example classes, against an evaluation that shares no code with the harness.


def idx(path: Path, dimensions: int) -> np.ndarray:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    assert struct.unpack(">HBB", data[:4]) == (0, 8, dimensions)
    shape = struct.unpack(f">{dimensions}I", data[4 : 4 + 4 * dimensions])
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def built(folder: Path) -> nn.Module:
    spec = importlib.util.spec_from_file_location(f"independent_{folder.name.replace('-', '_')}", folder / "model.py")
    source = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(source)
    module = source.StudentNet()
    module.load_state_dict(state_of(folder))
    return module.eval()


def state_of(folder: Path) -> Mapping[str, torch.Tensor]:
    (file,) = [path for path in folder.iterdir() if path.suffix in (".pt", ".pth", ".bin", ".pkl")]
    if file.suffix == ".pkl":
        raw = pickle.loads(file.read_bytes())
        return {name: torch.tensor(dequantised(value)).float() for name, value in raw.items()}
    content = torch.load(file, weights_only=False, map_location="cpu")
    content = content.get("model_state_dict", content)
    return {name.removeprefix("module."): each.float() for name, each in content.items()}


def dequantised(value: object) -> np.ndarray:
    if isinstance(value, tuple):
        low, high, levels = value
        return levels.astype(np.float64) / 255 * (high - low) + low
    return np.asarray(value, dtype=np.float64)


def agrees(result: Result, module: nn.Module, images: torch.Tensor, labels: np.ndarray) -> None:
    """Same class for each image, unless two logits are equal to within rounding."""
    with torch.no_grad():
        logits = torch.cat([module(batch) for batch in images.split(50)])
    best = logits.topk(2, dim=1).values
    differs = torch.tensor(result.predictions) != logits.argmax(1)
    assert not differs[best[:, 0] - best[:, 1] > 1e-4].any()
    assert differs.sum() <= 2
    assert result.metrics["accuracy"].value == np.mean(np.array(result.predictions) == labels)
    assert result.metrics["accuracy"].value == pytest.approx(
        (logits.argmax(1).numpy() == labels).mean(), abs=2.5 / len(labels)
    )


PUBLISHED = {
    "ntu-ml2020-hw7": {
        "seed-000": 277_963, "seed-004-final": 120_859, "seed-004-conv": 242_203, "seed-004-depthwise": 161_819,
        "seed-004-depthwise-1mb": 239_899, "seed-004-group2": 163_259, "seed-004-group8-1mb": 237_043,
    },
    "nycu-ds2023-hw2": {"seed-001": 95_386, "seed-002": 85_956},
    "ntu-ml2023-hw13": {"seed-003": 99_060},
}  # fmt: skip


@pytest.fixture(scope="module")
def examples() -> dict[str, Result]:
    """All ten example networks; what takes long and is tested elsewhere only where NYCU's whole rubric is."""
    sandbox = sandbox_called("bwrap")
    results: dict[str, Result] = {}
    long = {"kd_loss", "pruning_curve", "compare"}
    for name, networks in PUBLISHED.items():
        whole = load(name, hand_ins.PLUGINS)
        assignment = (
            whole if name.startswith("nycu") else hand_ins.only_evaluators(whole, lambda each: each not in long)
        )
        results |= graded(assignment, [REPOSITORY / "submissions" / name / each for each in networks], sandbox)
    return results


@pytest.mark.parametrize(("name", "published"), [pair for each in PUBLISHED.values() for pair in each.items()])
def test_the_published_parameter_counts(examples, name, published):
    result = examples[name]
    assert (result.status, result.reason) == ("graded", None)
    for kind in ("parameters", "parameters_torchinfo", "parameters_stored"):
        assert result.metrics[kind].value == published


@pytest.mark.parametrize("name", ["seed-001", "seed-002"])
def test_fashion_mnist_accuracy_image_by_image(examples, name):
    data = REPOSITORY / "fixtures" / "data" / "fashion-mnist-test"
    pixels = torch.tensor(idx(data / "t10k-images-idx3-ubyte.gz", 3)).float() / 255
    images = ((pixels - 0.5) / 0.5)[:, None].repeat(1, 3, 1, 1)
    labels = idx(data / "t10k-labels-idx1-ubyte.gz", 1)
    assert len(labels) == 10_000
    agrees(examples[name], built(REPOSITORY / "submissions" / "nycu-ds2023-hw2" / name), images, labels)


@pytest.mark.parametrize("name", ["seed-000", "seed-004-final"])
def test_stand_in_accuracy_image_by_image(examples, name):
    transforms = import_torchvision().transforms
    pipeline = transforms.Compose([transforms.Resize((64, 64)), transforms.ToTensor()])
    files = (REPOSITORY / "fixtures" / "stand_in" / "validation").glob("*.jpg")
    paths = sorted(files, key=lambda path: tuple(map(int, path.stem.split("_"))))
    images = torch.stack([pipeline(Image.open(path).convert("RGB")) for path in paths])
    labels = np.array([int(path.stem.partition("_")[0]) for path in paths])
    agrees(examples[name], built(REPOSITORY / "submissions" / "ntu-ml2020-hw7" / name), images, labels)


def test_a_good_hand_in_gets_all_points(examples):
    for name in ("seed-001", "seed-002"):
        result = examples[name]
        assert (result.score, result.max_score) == (45, 45)
        assert {check.name for check in result.checks if check.verdict == "passed"} >= {
            "parameter_limit", "kd_loss", "accuracy_baseline",
        }  # fmt: skip
        assert [check for check in result.checks if check.verdict == "failed"] == []
        size = (REPOSITORY / "submissions" / "nycu-ds2023-hw2" / name).glob("weights.pt*")
        assert result.metrics["stored_bytes"].value == next(size).stat().st_size


def test_hw7_sizes_are_those_of_the_files_and_fit(examples):
    for name in PUBLISHED["ntu-ml2020-hw7"]:
        folder = REPOSITORY / "submissions" / "ntu-ml2020-hw7" / name
        (file,) = [path for path in folder.iterdir() if path.suffix in (".pkl", ".bin")]
        assert examples[name].metrics["stored_bytes"].value == file.stat().st_size <= 300_000
        assert {check.name: check.verdict for check in examples[name].checks}["weights_size"] == "passed"


def test_seed_003_breaks_the_limit_it_claims_to_meet_and_meets_last_years(examples):
    checks = {check.name: check for check in examples["seed-003"].checks}
    assert checks["parameter_limit"].verdict == "failed"
    assert "99,060 parameters, over the limit of 60,000" in checks["parameter_limit"].reason
    assert checks["claims"].verdict == "failed"
    assert "MiB" in checks["claims"].hint
    assert examples["seed-003"].score == 0
    assert {line.reason for line in examples["seed-003"].points} == {"0 because parameter_limit failed"}

    before = hand_ins.only_evaluators(load("ntu-ml2022-hw13", hand_ins.PLUGINS), lambda name: name == "parameter_limit")
    path = REPOSITORY / "submissions" / "ntu-ml2023-hw13" / "seed-003"
    (check,) = graded(before, [path], sandbox_called("bwrap"))["seed-003"].checks
    assert (check.verdict, check.reason) == ("passed", "99,060 of at most 100,000 parameters")


def test_public_and_private_figures_are_of_the_whole(examples):
    metrics = examples["seed-003"].metrics
    public, private = metrics["accuracy_public"].value, metrics["accuracy_private"].value
    assert (public + private) / 2 == pytest.approx(metrics["accuracy"].value, abs=0.01)
