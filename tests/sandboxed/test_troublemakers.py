"""A class of troublemakers in the real sandbox: everyone gets an outcome of their own, and nobody is harmed."""

from __future__ import annotations

import json
import os
import random
import threading
import time

import hand_ins
import psutil
import pytest
import torch
from builders import noise
from hand_ins import HONEST, graded, hand_in, linear, processes_with, sandbox_called, small_assignment

from harness.grading.events import GradingEvents, Progress
from harness.grading.grader import grade_all
from harness.submission.discovery import discover
from harness.values.results import Result

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
    "nan": (in_forward("return self.fc(x.flatten(1)) * float('nan')"), "rejected", "NaN logits for all 40"),
    "quits": (in_class_body("import sys; sys.exit(4)"), "crashed", "SystemExit: 4"),
    "replaced": (
        in_forward("import os, sys; os.execv(sys.executable, [sys.executable, '-c', 'pass'])"),
        "crashed", "PermissionError",
    ),
    "segfault": (in_forward("import ctypes; ctypes.string_at(0)"), "crashed", "SIGSEGV"),
    "shape": (in_forward("return x.flatten(1)[:, :3]"), "rejected", "expected logits of shape [64, 4]"),
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
def trouble(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Result], list[str]]:
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
    return results, order


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
    assert "NaN in 'fc.weight'" in results["nan-weights"].reason
    assert results["zz-misfit"].status == "rejected"
    assert "fc.weight" in results["zz-misfit"].reason


def test_the_honest_ones_are_graded_whatever_the_others_do(trouble):
    results, order = trouble
    images, labels = noise(hand_ins.IMAGES)
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
    assert time.monotonic() - started < 20  # and not the minute that building may take
    assert processes_with(str(marked)) == []
    assert list(running) == []
