"""A class that is measured elsewhere comes to the same results, whoever dies on the way."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import noise, write_assignment, write_idx
from hand_ins import HONEST, IMAGES, PLUGINS, graded, hand_in, linear, sandbox_called

from harness.assignment.loading import Assignment, load
from harness.errors import Cancelled, Unreachable
from harness.grading.events import GradingEvents
from harness.networks.device import CannotRun, Device
from harness.values.results import Result

DECIDES = HONEST.replace("return self.fc(x.flatten(1))", "return self.fc(x.flatten(1)) * (2 if x.sum() > 0 else 1)")


def kills_its_process_once(shared: Any, task: Any) -> Any:
    """What a machine does that goes down, and then what it was asked for."""
    (work, marker), given = shared, task
    try:
        Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return work(*given)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody survives that")


def fails(shared: Any, task: Any) -> Any:
    raise OSError(f"{shared} {task}: no space left on device")


def waits(shared: threading.Event | None, task: float) -> None:
    time.sleep(task)


class Dying:
    """A crew of which a process is killed while it works on the first task."""

    def __init__(self, crew: Any, marker: Path) -> None:
        self.crew, self.size, self.marker, self.tasks = crew, crew.size, str(marker), 0
        self.wrapped: dict[int, Any] = {}

    def ask(self, work: Any, shared: Any, task: Any, stopping: threading.Event) -> Any:
        self.tasks += 1
        first = self.wrapped.setdefault(id(work), (work, self.marker))
        return self.crew.ask(kills_its_process_once, first, (shared, task), stopping)


class Troubles(GradingEvents):
    def __init__(self) -> None:
        self.told: list[str] = []

    def on_unreachable(self, reason: str) -> None:
        self.told.append(reason)


def held(workers: Any) -> int:
    """How much the scheduler knows of."""
    return workers._client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))


@pytest.fixture(scope="module")
def workers() -> Iterator[Any]:
    """Two processes of a Dask cluster, which learn this file's functions by their code."""
    cloudpickle = pytest.importorskip("cloudpickle")
    pytest.importorskip("distributed")
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with PLUGINS.executors["dask"].crew(jobs=2, scheduler=None) as crew:
        yield crew


@pytest.fixture
def everyone(tmp_path: Path) -> tuple[Assignment, list[Path]]:
    write_idx(tmp_path / "data", *noise(IMAGES))
    evaluators = {
        "accuracy": {},
        "parameter_limit": {"limit": 800},
        "claims": {},
        "kd_loss": {},
        "quantization_curve": {"bits": [8]},
    }
    folder = tmp_path / "class"
    claiming = hand_in(folder / "claims", HONEST, linear(2).state_dict())
    (claiming / "submission.toml").write_text("[claims]\nparameters = 772\naccuracy = 0.9\n")
    class_of = [
        hand_in(folder / "honest"),
        claiming,
        hand_in(folder / "decides", DECIDES, linear(1).state_dict()),
    ]
    return load(str(write_assignment(tmp_path, evaluators=evaluators)), PLUGINS), class_of


def without_times(results: dict[str, Result]) -> dict[str, Any]:
    """And without the times and process numbers of torch's log, of which some is among what a network printed."""
    times = {"seconds", "measured_at", "submitted_at"}
    texts = {name: each.model_dump_json(exclude=times) for name, each in results.items()}
    return {name: re.sub(r"[IWE]\d{4} [\d:.]+ \d+ ", "", each) for name, each in texts.items()}


def test_a_killed_worker_changes_no_result(
    workers: Any, everyone: tuple[Assignment, list[Path]], tmp_path: Path
) -> None:
    sandbox, troubles, dying = sandbox_called("bwrap"), Troubles(), Dying(workers, tmp_path / "killed")
    here = graded(*everyone, sandbox)
    there = graded(*everyone, sandbox, crew=dying, events=troubles)
    verified = {name: each.network.verified for name, each in here.items()}
    assert verified == {"honest": True, "claims": True, "decides": False}
    assert (tmp_path / "killed").exists()
    # Those with a graph; what has none runs here, and nobody was left to do it here after all.
    assert (dying.tasks, troubles.told) == (2, [])
    assert without_times(there) == without_times(here)


def test_what_fails_there_three_times_is_told_and_forgotten(workers: Any) -> None:
    with pytest.raises(Unreachable, match="OSError: everyone one: no space left on device"):
        workers.ask(fails, "everyone", "one", threading.Event())
    # What is shared, once for each object; no task and no answer.
    deadline = time.monotonic() + 5
    while held(workers) != len(workers._sent) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert held(workers) == len(workers._sent)


def test_a_run_that_is_stopped_waits_for_nobody(workers: Any) -> None:
    stopping = threading.Event()
    stopping.set()
    with pytest.raises(Cancelled):
        workers.ask(waits, None, 30.0, stopping)


def test_on_a_device_the_code_runs_once_and_the_graph_there(
    everyone: tuple[Assignment, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assignment, (honest, _, decides) = everyone
    sandbox, seen = sandbox_called("bwrap"), []
    here = graded(assignment, [honest, decides], sandbox)
    original = Device.network

    def network(this: Device, *given: Any) -> Any:
        seen.append(given[0].graph.input.shape)
        return original(this, *given)

    monkeypatch.setattr(Device, "network", network)
    there = graded(assignment, [honest, decides], sandbox, device=Device("cpu"))
    assert seen == [(3, 8, 8)]  # of the one that is verified
    assert without_times(there) == without_times(here)

    def lacks(*_: Any) -> Any:
        raise CannotRun("no kernel of 'aten::linear'")

    monkeypatch.setattr(Device, "network", lacks)
    instead = graded(assignment, [honest], sandbox, device=Device("cpu"))["honest"]
    assert instead.metrics == here["honest"].metrics
    assert "measured on the CPU: cpu cannot run it: no kernel of 'aten::linear'" in instead.notes
