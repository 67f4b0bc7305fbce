"""Measure a verified network where its hand-in is not: what is sent there, what is done there, what comes back.

A network goes as a graph and tensors, which hold no code. What only the hand-in has, such as its KD loss or further
weights files, is asked for by some evaluators; those are left to the grader.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Never

from harness.contracts.executors import Crew
from harness.errors import HarnessError, OnlyAtHome, SubmissionError, Unreachable
from harness.grading.asking import evaluated
from harness.grading.setting import Setting
from harness.networks.intake import unpacked
from harness.networks.kept import KeptStudent
from harness.networks.replayed import Measuring
from harness.plugins import Plugins
from harness.plugins.faults import package_of, said_at
from harness.points.judging import reads
from harness.sandbox import Usage, choose
from harness.sandbox.shared_images import SharedImages
from harness.submission.settings import Settings
from harness.values.evaluation import Evaluation
from harness.version import __version__

Found = Evaluation | SubmissionError
"""What an evaluator found, or why the submission cannot be graded."""


@dataclass(frozen=True, slots=True)
class Task:
    """A verified network to be measured, without its hand-in.

    Args:
        said: JSON of `harness.networks.intake.Said`.
        tensors: as `harness.networks.intake.Intake.packed` makes them.
        weights_bytes: size of the weights file as handed in.
        settings: what submission.toml says.
        known: evaluator -> what it found before.
    """

    said: str
    tensors: bytes
    weights_bytes: int
    settings: Settings
    known: Mapping[str, Evaluation]


@dataclass(frozen=True)
class Elsewhere:
    """Where networks are measured instead of here.

    Args:
        hands: of the grader; one that waits lends its own to others.
        on_unreachable: told why a network is measured here after all.
    """

    crew: Crew
    hands: threading.Semaphore
    stopping: threading.Event
    on_unreachable: Callable[[str], None]

    def measured(self, setting: Setting, task: Task) -> Mapping[str, Found]:
        """See `measured`; nothing where nobody answers.

        Raises:
            Cancelled: the run is being stopped.
        """
        self.hands.release()
        try:
            found = self.crew.ask(measured, setting, task, self.stopping)
        except Unreachable as error:
            self.on_unreachable(str(error))
            return {}
        except HarnessError:
            raise
        except Exception as error:  # noqa: BLE001 - a plugin's, and nothing is lost: it is measured here
            self.on_unreachable(f"the executor's ask() raised {said_at(error, package_of(self.crew))}")
            return {}
        else:
            if isinstance(found, Mapping):
                return found
            said = f"the executor's ask() returned {type(found).__name__}, not what `work` returned"
            self.on_unreachable(f"{said} (plugin {type(self.crew).__module__})")
            return {}
        finally:
            self.hands.acquire()


def measured(setting: Setting, task: Task) -> dict[str, Found]:
    """What evaluators find that know all they have to; those that do not are left out. Runs in a process of a crew.

    Time and memory are limited as everywhere: a worker of the sandbox without a wall runs the graph.

    Raises:
        HarnessError: not a submission's fault; elsewhere it may work.
    """
    _same_software(setting)
    shape, usage = setting.input_shape, Usage.within(setting.rules.limits)
    intake, running = unpacked(task.said, task.tensors), threading.Event()
    with choose("none").box() as box:
        measuring = Measuring(lambda: box.measuring_worker(usage, running), _images(), setting.rules, shape)
        try:
            traced = intake.traced(setting.rules, shape)
            student = KeptStudent(
                intake,
                weights_bytes=task.weights_bytes,
                settings=task.settings,
                traced=traced,
                network=lambda: measuring.network(traced, intake.weights),
                live=_only_at_home,
            )
            return _evaluated(student, setting, task)
        finally:
            measuring.close()


def _evaluated(student: KeptStudent, setting: Setting, task: Task) -> dict[str, Found]:
    found: dict[str, Found] = {}
    earlier, complete = Evaluation(), True
    for name in setting.options:
        evaluator = _plugins().evaluators[name]
        if name in task.known:
            earlier = earlier.joined(task.known[name])
            continue
        if not complete and "earlier" in reads(evaluator):
            continue
        context = setting.context(
            name, task.settings.kd_function, earlier, _only_at_home if setting.rules.teacher else lambda: None
        )
        try:
            new = evaluated(evaluator, student, context)
        except OnlyAtHome:
            complete = False
            continue
        except SubmissionError as error:
            return {**found, name: error}
        found[name], earlier = new, earlier.joined(new)
    return found


def software(names: Mapping[str, object], plugins: Plugins) -> dict[str, str]:
    """The versions of what decides results: of the harness, torch, and evaluators by name."""
    return {
        "harness": __version__,
        "torch": version("torch"),
        **{f"evaluator {name}": plugins.evaluator_version(name) for name in names},
    }


def _same_software(setting: Setting) -> None:
    plugins = _plugins()
    missing = [name for name in setting.options if name not in plugins.evaluators]
    if missing:
        raise HarnessError(f"the evaluator {missing[0]} is not installed there: install the same plugins as here")
    there = software(setting.options, plugins)
    for name, wanted in setting.versions.items():
        if there[name] != wanted:
            raise HarnessError(f"{name} is {there[name]} there and {wanted} here: install the same")


def _only_at_home(*_: object) -> Never:
    raise OnlyAtHome("only the hand-in itself can answer this")


@cache
def _plugins() -> Plugins:
    return Plugins.installed()


@cache
def _images() -> SharedImages:
    """Laid out for workers once for all tasks."""
    return SharedImages(None)
