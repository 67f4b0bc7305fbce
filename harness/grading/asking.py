"""Ask evaluators, and hold them to what they declare: a plugin that fails is named, and no student pays for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.contracts.evaluator import Context, Evaluator, JudgesPredictions
from harness.contracts.network import Student
from harness.plugins.faults import blaming, broken, expect
from harness.plugins.kinds import EVALUATOR
from harness.text import suggestion
from harness.values.evaluation import Evaluation
from harness.values.measures import Measures
from harness.values.networks import Predictions


def evaluated(evaluator: Evaluator[Any], student: Student, context: Context[Any]) -> Evaluation:
    """What it finds of a network.

    Raises:
        SubmissionError: the submission as a whole cannot be graded.
        PluginError: the evaluator failed, or found what it does not declare.
    """
    with blaming(EVALUATOR, evaluator, "evaluate"):
        found = evaluator.evaluate(student, context)
    return _held(evaluator, "evaluate", found)


def evaluated_predictions(
    evaluator: JudgesPredictions[Any], handed_in: Predictions, context: Context[Any]
) -> Evaluation:
    """What it finds of predictions alone; raises as `evaluated`."""
    with blaming(EVALUATOR, evaluator, "evaluate_predictions"):
        found = evaluator.evaluate_predictions(handed_in, context)
    return _held(evaluator, "evaluate_predictions", found)


def _held(evaluator: Any, method: str, returned: object) -> Evaluation:
    found = expect(EVALUATOR, evaluator, method, returned, Evaluation, advice=": write return Evaluation(metrics=…)")
    for problem in undeclared(evaluator, found):
        raise broken(EVALUATOR, evaluator, f"{method}() {problem}")
    return found


def undeclared(evaluator: Evaluator[Any], found: Evaluation) -> Iterator[str]:
    """Everything in what it found that its `metrics` and `checks` do not say."""
    known = Measures.of(evaluator.metrics, evaluator.checks)
    for name, metric in found.metrics.items():
        spec = known.metrics.get(name)
        if spec is None:
            close = suggestion(name, known.metrics)
            yield f"measured {name!r}, which is not among its metrics{close}; declare it: MetricSpec({name!r}, …)"
        elif (metric.unit, metric.higher_is_better) != (spec.unit, spec.higher_is_better):
            yield f"measured {name!r} in another unit or direction than it declares: make it with its MetricSpec's of()"
    for check in found.checks:
        if check.name not in known.checks:
            close, wanted = suggestion(check.name, known.checks), f"CheckSpec({check.name!r})"
            yield f"made the check {check.name!r}, which is not among its checks{close}; declare it: {wanted}"
