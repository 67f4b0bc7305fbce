"""Judge what was measured by the rules as they are now: checks and points, from what is kept, in microseconds.

Nothing here measures. A change of limits, baselines, points or titles is a change of what is computed here, every time
it is asked for; only what decides a *measurement* (`how`) makes an attempt's part of it stale.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from harness.contracts.evaluator import EVERYTHING, Evaluator, Judges, Reads, ReadsLess, Requirements
from harness.errors import PluginError
from harness.plugins.declared import undeclared
from harness.plugins.faults import blaming, broken
from harness.plugins.kinds import EVALUATOR
from harness.points import rubric
from harness.points.possible import points_possible
from harness.values.base import Options
from harness.values.evaluation import Evaluation
from harness.values.measured import Measured, parts_from_json
from harness.values.measures import Check
from harness.values.results import AssignmentInfo, Attempt, Result
from harness.values.rules import AssignmentFile


def reads(evaluator: Evaluator[Any]) -> frozenset[Reads]:
    """What an evaluator goes by."""
    return evaluator.reads if isinstance(evaluator, ReadsLess) else EVERYTHING


def how(rules: AssignmentFile, evaluator: Evaluator[Any], options: Options) -> str:
    """A digest of what the assignment says about measuring: everything that could change what is found."""
    later = set(evaluator.judged_by) if isinstance(evaluator, Judges) else set()
    said: dict[str, Any] = {
        "evaluator": evaluator.name,
        "options": options.model_dump(mode="json", exclude=later, exclude_defaults=True),
    }
    if "images" in reads(evaluator):
        # Left out where they are the default: a key that a newer harness knows makes nothing stale.
        said["images"] = rules.images.model_dump(mode="json", exclude={"class_names"}, exclude_defaults=True)
        said["public"] = rules.data["test"].public_fraction
    return digest_of(said)


def digest_of(said: Any) -> str:
    """Of plain data, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def _judged_by(evaluator: Any, found: Evaluation, required: Requirements[Any]) -> tuple[Check, ...]:
    """The checks that an evaluator makes of what it found before.

    Raises:
        PluginError: it failed, or made others than it declares.
    """
    with blaming(EVALUATOR, evaluator, "judge"):
        judged = Evaluation(checks=tuple(evaluator.judge(found, required)))
    for problem in undeclared(evaluator, judged):
        raise broken(EVALUATOR, evaluator, f"judge() {problem}")
    return judged.checks


@dataclass(frozen=True)
class Judge:
    """The rules of an assignment as they are now.

    Args:
        info: the assignment's, as attempts under these rules carry it.
        evaluators: those it names, with `options` for each.
    """

    rules: AssignmentFile
    info: AssignmentInfo
    evaluators: Mapping[str, Evaluator[Any]]
    options: Mapping[str, Options]

    @cached_property
    def hows(self) -> Mapping[str, str]:
        """Evaluator -> `how`."""
        return {name: how(self.rules, each, self.options[name]) for name, each in self.evaluators.items()}

    def checks(self, name: str, found: Evaluation) -> tuple[Check, ...]:
        """The checks of one evaluator: those it made while measuring, and those it judges by what it measured.

        An evaluator that fails at judging decides nothing, and says so.
        """
        evaluator = self.evaluators[name]
        if not isinstance(evaluator, Judges) or not (found.metrics or found.evidence):
            return found.checks
        split = self.rules.data["test"].public_fraction is not None
        required = Requirements(self.options[name], self.rules.baselines, split, self.info.data.stand_in)
        try:
            return (*found.checks, *_judged_by(evaluator, found, required))
        except PluginError as error:  # no reason for a class to have no board
            reason = f"it could not be judged by what was measured: {error}"
            doubts = (Check.could_not_check(each.name, reason) for each in evaluator.checks)
            return (*found.checks, *doubts)

    def judged(self, attempt: Attempt) -> Attempt:
        """The attempt as it counts under the rules as they are now.

        An attempt on other data, and one of a store that kept no parts, keeps its checks and points.
        """
        found = self._judged(attempt)
        # Also where nothing else changed: rules of boards, such as points by rank, are in no attempt's digest.
        whole = {"points_possible": points_possible(self.rules, found.result.points)}
        return found.model_copy(update={"result": found.result.model_copy(update=whole)})

    def _judged(self, attempt: Attempt) -> Attempt:
        if attempt.assignment.digest == self.info.digest or not attempt.parts:
            return attempt
        if attempt.assignment.data.id != self.info.data.id:
            return attempt
        try:
            kept = parts_from_json(attempt.parts)
        except ValueError:
            return attempt  # damaged: it counts as it was graded, under the rules it was graded by
        now = {name: kept[name] for name, wanted in self.hows.items() if name in kept and kept[name].how == wanted}
        result = _with_parts(attempt.result, kept, now)
        if result.status == "graded":
            judged = {name: self.checks(name, _evaluation(result, part)) for name, part in now.items()}
            checks = tuple(check for name in self.evaluators for check in judged.get(name, ()))
            lines = rubric.points(self.rules, {check.name: check for check in checks}, result.metrics)
        else:
            checks = ()
            lines = rubric.nothing(self.rules, rubric.not_graded(result.status))
        data = attempt.assignment.data
        return attempt.model_copy(
            update={
                "assignment": self.info.model_copy(update={"data": data}),
                "to_measure": tuple(name for name in self.evaluators if name not in now),
                "result": result.model_copy(
                    update={
                        "checks": checks,
                        "points": lines,
                        "score": sum(line.points for line in lines),
                        "max_score": rubric.max_score(self.rules),
                    }
                ),
            }
        )


def _with_parts(result: Result, kept: Mapping[str, Measured], now: Mapping[str, Measured]) -> Result:
    """The result with the numbers and curves of these parts alone."""
    if now.keys() == kept.keys():
        return result
    metrics = _names(part.metrics for part in now.values())
    curves = _names(part.curves for part in now.values())
    tables = _names(part.tables for part in now.values())
    dropped = _names(part.notes for part in kept.values()) - _names(part.notes for part in now.values())
    return result.model_copy(
        update={
            "metrics": {name: each for name, each in result.metrics.items() if name in metrics},
            "curves": tuple(each for each in result.curves if each.name in curves),
            "tables": tuple(each for each in result.tables if each.name in tables),
            "notes": tuple(each for each in result.notes if each not in dropped),
            "measured_at": {name: each for name, each in result.measured_at.items() if name in now},
        }
    )


def _names(many: Iterable[tuple[str, ...]]) -> set[str]:
    return {name for names in many for name in names}


def _evaluation(result: Result, part: Measured) -> Evaluation:
    """What `judge` goes by: the part's own numbers and evidence."""
    found = {name: result.metrics[name] for name in part.metrics if name in result.metrics}
    return Evaluation(metrics=found, evidence=part.evidence, checks=part.checks)
