"""Ask evaluators, and hold them to what they declare: a plugin that fails is named, and no student pays for it."""

from __future__ import annotations

from typing import Any

from harness.contracts.evaluator import Context, Evaluator, JudgesPredictions
from harness.contracts.network import Student
from harness.plugins.declared import undeclared
from harness.plugins.faults import blaming, broken, expect
from harness.plugins.kinds import EVALUATOR
from harness.values.evaluation import Evaluation
from harness.values.networks import Predictions


def evaluated(evaluator: Evaluator[Any], student: Student, context: Context[Any]) -> Evaluation:
    """What it finds of a network.

    Raises:
        SubmissionError: the submission as a whole cannot be graded.
        PluginError: the evaluator failed, or found what it does not declare.
    """
    before = _changes(context)
    with blaming(EVALUATOR, evaluator, "evaluate"):
        found = evaluator.evaluate(student, context)
    if _changes(context) != before:
        problem = "evaluate() changed the images that it was handed, which others measure on: work on a copy"
        raise broken(EVALUATOR, evaluator, problem)
    return _held(evaluator, "evaluate", found, context)


def evaluated_predictions(
    evaluator: JudgesPredictions[Any], handed_in: Predictions, context: Context[Any]
) -> Evaluation:
    """What it finds of predictions alone; raises as `evaluated`."""
    with blaming(EVALUATOR, evaluator, "evaluate_predictions"):
        found = evaluator.evaluate_predictions(handed_in, context)
    return _held(evaluator, "evaluate_predictions", found, context)


def _changes(context: Context[Any]) -> int:
    """How often the pixels were written to, as torch counts it."""
    return context.examples.images.pixels._version  # noqa: SLF001 - torch's documentation names it as the way to know


def _held(evaluator: Any, method: str, returned: object, context: Context[Any]) -> Evaluation:
    found = expect(EVALUATOR, evaluator, method, returned, Evaluation, advice=": write return Evaluation(metrics=…)")
    for problem in undeclared(evaluator, found):
        raise broken(EVALUATOR, evaluator, f"{method}() {problem}")
    try:
        found.model_dump_json()
    except ValueError as error:
        problem = f"found what cannot be kept: {error}; harness.api.text.clean() takes out of a text what is none"
        raise broken(EVALUATOR, evaluator, f"{method}() {problem}") from error
    images, predictions = len(context.examples.labels), found.predictions
    if predictions is not None and len(predictions) != images:
        problem = f"returned {len(predictions):,} predictions, not one for each of {images:,} images"
        raise broken(EVALUATOR, evaluator, f"{method}() {problem}")
    return found
