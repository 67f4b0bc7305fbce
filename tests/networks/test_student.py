"""A student as a function of weights and images, behind a real wall; and what the wall keeps from its code."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hand_ins
import pytest
import torch
from builders import REPOSITORY
from hand_ins import HONEST, graded, hand_in, linear, sandbox_called, small_assignment

from harness.data.images import load_examples
from harness.errors import SubmissionError
from harness.networks.student import SandboxedStudent
from harness.values.results import Result

pytestmark = pytest.mark.sandbox
torch.set_num_threads(1)

FRAGILE = HONEST.replace(
    "        return self.fc",
    """        if self.fc.bias[0] > 1000:
            import os
            print("going down", flush=True)
            os._exit(7)
        return self.fc""",
)


@pytest.fixture(scope="module", params=["bwrap", "landlock", "none"])
def student(request, tmp_path_factory) -> Iterator[tuple[SandboxedStudent, Any]]:
    """An open student that ends its process when its first bias is large, and the images."""
    sandbox = sandbox_called(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    assignment = small_assignment(folder / "assignment")
    images = load_examples(assignment, "test", 8, hand_ins.PLUGINS.datasets).images
    with hand_ins.opened(hand_in(folder / "fragile", FRAGILE), assignment, sandbox) as student:
        yield student, images


def plainly(images, weights) -> torch.Tensor:
    return torch.nn.functional.linear(
        ((images.pixels.float() / 255 - 0.5) / 0.5).flatten(1), weights["fc.weight"], weights["fc.bias"]
    )


def test_weights_come_from_the_grader_with_every_request(student):
    handle, images = student
    assert {name: each.shape for name, each in handle.weights.items()} == {"fc.weight": (4, 192), "fc.bias": (4,)}
    for name, each in linear().state_dict().items():
        assert torch.equal(handle.decoded[name], each)
    torch.testing.assert_close(handle.logits(images), plainly(images, handle.weights))
    changed = {name: each * 2 + 1 for name, each in handle.weights.items()}
    torch.testing.assert_close(handle.logits(images, changed), plainly(images, changed), rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(handle.logits(images, batch_size=7), plainly(images, handle.weights))


def test_a_worker_that_died_is_replaced_with_the_next_request(student):
    handle, images = student
    before = handle.logits(images)
    fatal = {**handle.weights, "fc.bias": torch.full((4,), 1e6)}
    with pytest.raises(SubmissionError, match="ended with exit code 7 while running forward") as error:
        handle.logits(images, fatal)
    assert error.value.status == "crashed"
    assert torch.equal(handle.logits(images), before)
    assert handle.printed.count("going down") == 1


COUNTING = HONEST.replace(
    "        return self.fc",
    """        StudentNet.seen = getattr(StudentNet, "seen", 0) + len(x)
        print("seen", StudentNet.seen, flush=True)
        return StudentNet.seen + self.fc""",
)


def test_a_second_process_knows_nothing_of_the_first(tmp_path):
    assignment = small_assignment(tmp_path / "assignment")
    images = load_examples(assignment, "test", 8, hand_ins.PLUGINS.datasets).images
    with hand_ins.opened(hand_in(tmp_path / "counting", COUNTING), assignment, sandbox_called("bwrap")) as student:
        first, second = student.logits(images), student.logits(images)
        with student.again() as other:
            assert other.facts == student.facts
            fresh, repeated = other.logits(images), other.logits(images)
        third = student.logits(images)
    # Each counts what it saw itself.
    for later, earlier in ((second, first), (third, second), (repeated, fresh)):
        assert float((later - earlier).mean()) == pytest.approx(hand_ins.IMAGES)
    # What the first counted while it was traced is gone with that process.
    assert float((second - fresh).mean()) == pytest.approx(hand_ins.IMAGES, abs=3)
    assert not student.verification.verified
    assert student.printed.count("seen") >= 5


def test_the_facts_say_where_everything_was_found(student):
    facts = student[0].facts
    assert facts.source.startswith("model.py line ")
    assert (facts.weights_format, facts.torchinfo, facts.storage_elements) == ("torch-zip", 772, 772)
    assert facts.parameters == ("fc.weight", "fc.bias")


HANGING_LOSS = """
def loss_fn_kd(outputs, labels, teacher_outputs, T=4.0, alpha=0.5):
    while True:
        pass
"""


def test_a_hanging_kd_loss_costs_nobody_the_accuracy(tmp_path):
    assignment = small_assignment(tmp_path / "assignment", ["kd_loss", "accuracy"], request_seconds=4)
    path = hand_in(tmp_path / "hangs", HONEST + HANGING_LOSS)
    result = graded(assignment, [path], sandbox_called("bwrap"))["hangs"]
    assert (result.status, result.reason) == ("graded", None)
    (check,) = [check for check in result.checks if check.name == "kd_loss"]
    assert check.verdict == "failed"
    assert "4 s" in check.reason
    assert 0 <= result.metrics["accuracy"].value <= 1
    assert len(result.predictions) == hand_ins.IMAGES


INTRUDER = """
import json
import os
import signal
import socket

TARGETS = json.loads(%r)


def attempt(what):
    try:
        return what()
    except BaseException as error:
        return f"refused: {type(error).__name__}"


def read(path):
    with open(path, "rb") as file:
        return f"read {len(file.read(100))} bytes"


def write(path):
    with open(path, "w") as file:
        file.write("x")
    return "written"


def connect():
    with socket.create_connection(("127.0.0.1", TARGETS["port"]), timeout=3):
        return "connected"


def connect_abstract():
    with socket.socket(socket.AF_UNIX) as other:
        other.connect("\\0" + TARGETS["abstract"])
    return "connected"


def shoot(pid):
    os.kill(pid, signal.SIGUSR1)
    return "sent"


class StudentNet(%s
    def look_around(self):
        return {
            "files": {path: attempt(lambda: read(path)) for path in TARGETS["files"]},
            "folders": {path: attempt(lambda: os.listdir(path)) for path in TARGETS["folders"]},
            "writes": {path: attempt(lambda: write(path)) for path in TARGETS["writes"]},
            "tcp": attempt(connect),
            "abstract": attempt(connect_abstract),
            "kill": attempt(lambda: shoot(TARGETS["grader"])),
            "parent": attempt(lambda: shoot(os.getppid())),
            "environment": dict(os.environ),
            "processes": attempt(lambda: os.listdir("/proc")),
            "capabilities": attempt(lambda: read("/proc/self/status")),
            "descriptors": [attempt(lambda: os.fstat(n).st_mode) for n in range(64)],
            "user": os.getuid(),
            "root": attempt(lambda: os.listdir("/")),
        }
"""


@pytest.fixture(scope="module", params=["bwrap", "landlock"])
def intrusion(request, tmp_path_factory) -> tuple[dict[str, Any], Result, dict[str, Any]]:
    """What a submission managed, its result, and what the grader's side saw."""
    sandbox = sandbox_called(request.param)
    folder = tmp_path_factory.mktemp("intrusion")
    assignment = small_assignment(folder / "assignment")
    (folder / "harness.db").write_text("the store")
    hand_in(folder / "class" / "neighbour")
    labels = REPOSITORY / "fixtures" / "data" / "fashion-mnist-test" / "t10k-labels-idx1-ubyte.gz"
    seen: dict[str, Any] = {"signals": [], "connections": 0}
    previous = signal.signal(signal.SIGUSR1, lambda *_: seen["signals"].append("SIGUSR1"))
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        name = f"harness-test-{os.getpid()}"
        abstract.bind("\0" + name)
        abstract.listen()
        targets = {
            "files": [
                str(assignment.data_paths["test"] / "test-labels-idx1-ubyte"), str(labels), str(folder / "harness.db"),
                str(folder / "class" / "neighbour" / "weights.pt"), "/etc/passwd", "/etc/hostname",
                str(Path.home() / ".profile"), f"/proc/{os.getpid()}/environ", "/proc/1/root/etc/passwd",
            ],
            "folders": [
                str(folder), str(folder / "class"), str(REPOSITORY / "fixtures"), str(REPOSITORY / "submissions"),
                "/home", str(Path.home()), "/usr/share", "/var", "/sys", str(REPOSITORY), ".", "/tmp",
            ],
            "writes": [
                str(folder / "canary"), "/canary", "/submission/canary", "/submission/model.py", "/usr/lib/canary",
                str(Path(torch.__file__).parent / "canary.py"), "/etc/canary", "/tmp/harness-canary", "/proc/1/mem",
            ],
            "port": server.getsockname()[1],
            "abstract": name,
            "grader": os.getpid(),
        }  # fmt: skip
        head, body = HONEST.split("class StudentNet(")
        source = head + INTRUDER % (json.dumps(targets), body)
        source = source.replace(
            "super().__init__()", 'super().__init__()\n        print("SAW " + json.dumps(self.look_around()))'
        )
        path = hand_in(folder / "class" / "intruder", source)
        listening = threading.Thread(target=_count_connections, args=(server, seen), daemon=True)
        listening.start()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HARNESS_TEST_SECRET", "the-lms-token")
            result = graded(assignment, [path], sandbox)["intruder"]
    signal.signal(signal.SIGUSR1, previous)
    lines = [line for line in result.printed.splitlines() if line.startswith("SAW ")]
    assert lines, (result.reason, result.printed)
    seen["folder"] = folder
    return json.loads(lines[0].removeprefix("SAW ")), result, seen


def _count_connections(server: socket.socket, seen: dict[str, Any]) -> None:
    try:
        while True:
            server.accept()[0].close()
            seen["connections"] += 1
    except OSError:
        return


def refused(answer: object) -> bool:
    return isinstance(answer, str) and answer.startswith("refused: ")


def test_the_intruder_is_graded_like_everyone(intrusion):
    assert intrusion[1].status == "graded"


def test_labels_the_store_neighbours_and_home_cannot_be_read(intrusion):
    assert [path for path, answer in intrusion[0]["files"].items() if not refused(answer)] == []


def test_folders_of_others_cannot_be_listed(intrusion):
    listed = dict(intrusion[0]["folders"])
    assert set(listed.pop(".")) == {"model.py", "weights.pt"}
    assert [path for path, answer in listed.items() if not refused(answer)] == []
    assert refused(intrusion[0]["root"])


def test_nothing_can_be_written(intrusion):
    answers = dict(intrusion[0]["writes"])
    assert [path for path, answer in answers.items() if not refused(answer)] == []
    assert not Path("/tmp/harness-canary").exists()
    assert not (intrusion[2]["folder"] / "canary").exists()


def test_there_is_no_network(intrusion):
    assert refused(intrusion[0]["tcp"])
    assert refused(intrusion[0]["abstract"])
    assert intrusion[2]["connections"] == 0


def test_no_process_outside_can_be_seen_or_signalled(intrusion):
    assert intrusion[2]["signals"] == []
    assert refused(intrusion[0]["processes"])
    assert refused(intrusion[0]["capabilities"])
    assert intrusion[0]["user"] != 0


def test_the_environment_holds_no_secret(intrusion):
    environment = intrusion[0]["environment"]
    assert "HARNESS_TEST_SECRET" not in environment
    assert "the-lms-token" not in str(environment)
    assert environment["HOME"] == "/tmp"


def test_no_descriptor_of_the_grader_leaks_in(intrusion):
    open_ones = [stat.S_IFMT(each) for each in intrusion[0]["descriptors"] if not refused(each)]
    # Nothing to read, one pipe for both outputs, and the socket.
    assert sorted(open_ones) == sorted([stat.S_IFCHR, stat.S_IFIFO, stat.S_IFIFO, stat.S_IFSOCK])
