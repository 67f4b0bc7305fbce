"""Run an assignment's evaluators on one network, those whose findings are not known, and judge what all found."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from harness.assignment.loading import Assignment
from harness.contracts.evaluator import Context, Evaluator, JudgesPredictions
from harness.contracts.network import Student
from harness.data.data_sets import DataSets
from harness.errors import SubmissionError
from harness.grading.asking import evaluated, evaluated_predictions
from harness.grading.elsewhere import Elsewhere, Found, Task
from harness.grading.findings import Findings, unchecked
from harness.grading.keys import Keys
from harness.grading.memory import Memory
from harness.grading.setting import Setting
from harness.networks.teachers import Teachers
from harness.points.judging import Judge
from harness.values.base import Audience, Options
from harness.values.evaluation import Evaluation
from harness.values.measured import Measured
from harness.values.networks import Predictions, Verification


@dataclass(frozen=True)
class Subject:
    """What evaluators are run on.

    Attributes:
        student: opens it, for the first evaluator whose findings are not known.
        network: whether it is verified.
        intake: key of what is known of the hand-in, where anything is remembered.
        kd_function: the name that submission.toml gives the KD loss.
    """

    student: Callable[[], Student]
    network: Verification | None
    input_size: int
    kd_function: str | None = None
    intake: str = ""
    task: Callable[[Mapping[str, Evaluation]], Task | None] = lambda _: None
    """Makes of it, and of what is known, what can be measured elsewhere; None: only its own process can be asked."""


@dataclass(frozen=True)
class Evaluating:
    """The evaluators of one assignment.

    Args:
        keys: None where nothing is remembered.
        on_stage: told the submission and what happens to it now.
        versions: of what decides results, where it is measured elsewhere.
        elsewhere: who measures verified networks; None: nobody but us.
    """

    assignment: Assignment
    judge: Judge
    data: DataSets
    teachers: Teachers
    audience: Audience
    on_stage: Callable[[str, str], None]
    memory: Memory
    keys: Keys | None = None
    secret: str = ""
    """See `Context.secret`."""
    versions: Mapping[str, str] = field(default_factory=dict)
    elsewhere: Elsewhere | None = None
    _settings: dict[int, Setting] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, name: str, subject: Subject, found: Findings) -> None:
        """Add what every evaluator finds, or has found before.

        Raises:
            SubmissionError: the submission as a whole cannot be graded.
            PluginError: an evaluator failed.
        """
        keys = self._keys(subject)
        known = self.memory.evaluations([each for each in keys.values() if each])
        others = self._elsewhere(
            name, subject, {evaluator: known[key][1] for evaluator, key in keys.items() if key in known}
        )
        for evaluator, key in keys.items():
            if key in known:
                self._add(evaluator, key, *known[key], found)
                continue
            evaluation = others.get(evaluator) or self._here(name, evaluator, subject, found)
            if isinstance(evaluation, SubmissionError):
                raise evaluation
            now = datetime.now(UTC)
            if key:
                self.memory.keep_evaluation(key, now, evaluation)
            self._add(evaluator, key, now, evaluation, found)

    def _here(self, name: str, evaluator: str, subject: Subject, found: Findings) -> Evaluation:
        self.on_stage(name, evaluator.replace("_", " "))
        context = self._context(evaluator, subject.input_size, subject.kd_function, found)
        return evaluated(self._evaluator(evaluator), subject.student(), context)

    def run_on_predictions(self, name: str, handed_in: Predictions, input_size: int, found: Findings) -> None:
        """Run the evaluators that need no network; a person decides about the checks of the others."""
        for evaluator in self.assignment.options:
            self.on_stage(name, evaluator.replace("_", " "))
            judge = self._evaluator(evaluator)
            if isinstance(judge, JudgesPredictions):
                context = self._context(evaluator, input_size, None, found)
                evaluation = evaluated_predictions(judge, handed_in, context)
            else:
                evaluation = unchecked(self._checks_that_count(judge))
            self._add(evaluator, "", datetime.now(UTC), evaluation, found)

    def _add(self, name: str, key: str, at: datetime, evaluation: Evaluation, found: Findings) -> None:
        part = Measured.of(evaluation, key=key, how=self.judge.hows[name], at=at)
        found.add(name, evaluation, self.judge.checks(name, evaluation), part)

    def _keys(self, subject: Subject) -> dict[str, str]:
        keys: dict[str, str] = {}
        for name in self.assignment.options:
            keys[name] = (
                self.keys.evaluation(
                    name,
                    intake=subject.intake,
                    network=subject.network,
                    input_size=subject.input_size,
                    earlier=tuple(keys.values()),
                )
                if self.keys is not None
                else ""
            )
        return keys

    def _evaluator(self, name: str) -> Evaluator[Any]:
        return self.assignment.evaluators[name]

    def _checks_that_count(self, evaluator: Evaluator[Any]) -> list[str]:
        """Those the rubric names, and the one that carries the evaluator's name."""
        rules = self.assignment.rules.rubric
        counted = {evaluator.name, *rules.gates, *(rule.check for rule in rules.points)}
        return sorted(check.name for check in evaluator.checks if check.name in counted)

    def setting(self, input_size: int) -> Setting:
        """What evaluators know beside the network; one object for each size.

        Raises:
            UsageError: the images cannot be read.
        """
        with self._lock:
            if input_size not in self._settings:
                examples, public = self.data.test(input_size)
                self._settings[input_size] = Setting(
                    self.assignment.rules,
                    self.assignment.options,
                    self.audience,
                    input_size,
                    examples,
                    public,
                    self.data.calibration(input_size),
                    self.versions,
                    self.secret,
                )
            return self._settings[input_size]

    def _context(self, name: str, input_size: int, kd_function: str | None, found: Findings) -> Context[Options]:
        setting = self.setting(input_size)
        return setting.context(name, kd_function, found.evaluation, lambda: self.teachers.at(input_size))

    def _elsewhere(self, name: str, subject: Subject, known: Mapping[str, Evaluation]) -> Mapping[str, Found]:
        """What others find of a verified network, if there are others."""
        if self.elsewhere is None or len(known) == len(self.assignment.options):
            return {}
        task = subject.task(known)
        if task is None:
            return {}
        self.on_stage(name, "measuring elsewhere")
        return self.elsewhere.measured(self.setting(subject.input_size), task)
