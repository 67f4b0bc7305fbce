"""Run an assignment's evaluators on one network, those whose findings are not known, and judge what all found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from harness.assignment.loading import Assignment
from harness.contracts.evaluator import Context, Evaluator, JudgesPredictions
from harness.contracts.network import Student
from harness.data.data_sets import DataSets
from harness.grading.findings import Findings, unchecked
from harness.grading.keys import Keys
from harness.grading.memory import Memory
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


@dataclass(frozen=True)
class Evaluating:
    """The evaluators of one assignment.

    Args:
        keys: None where nothing is remembered.
        on_stage: told the submission and what happens to it now.
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

    def run(self, name: str, subject: Subject, found: Findings) -> None:
        """Add what every evaluator finds, or has found before.

        Raises:
            SubmissionError: the submission as a whole cannot be graded.
        """
        keys = self._keys(subject)
        known = self.memory.evaluations([each for each in keys.values() if each])
        for evaluator, key in keys.items():
            if key in known:
                self._add(evaluator, key, *known[key], found)
                continue
            self.on_stage(name, evaluator.replace("_", " "))
            context = self._context(evaluator, subject.input_size, subject.kd_function, found)
            evaluation = self._evaluator(evaluator).evaluate(subject.student(), context)
            now = datetime.now(UTC)
            if key:
                self.memory.keep_evaluation(key, now, evaluation)
            self._add(evaluator, key, now, evaluation, found)

    def run_on_predictions(self, name: str, handed_in: Predictions, input_size: int, found: Findings) -> None:
        """Run the evaluators that need no network; a person decides about the checks of the others."""
        for evaluator in self.assignment.options:
            self.on_stage(name, evaluator.replace("_", " "))
            judge = self._evaluator(evaluator)
            if isinstance(judge, JudgesPredictions):
                context = self._context(evaluator, input_size, None, found)
                evaluation = judge.evaluate_predictions(handed_in, context)
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

    def _context(self, name: str, input_size: int, kd_function: str | None, found: Findings) -> Context[Options]:
        rules = self.assignment.rules
        examples, public = self.data.test(input_size)
        return Context(
            options=self.assignment.options[name],
            examples=examples,
            public=public,
            split=rules.data["test"].public_fraction is not None,
            audience=self.audience,
            input_size=input_size,
            measured=found.evaluation.metrics,
            kd_functions=(kd_function,) if kd_function else rules.submission.kd_functions,
            limit_seconds=rules.limits.request_seconds,
            curves=found.evaluation.curves,
            calibration=self.data.calibration(input_size),
            teacher=lambda: self.teachers.at(input_size),
            predictions=found.evaluation.predictions,
            secret=self.secret,
        )
