"""Compare a class from the store alone: what grading kept of it, given to the assignment's class evaluators."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from harness.assignment.loading import Assignment
from harness.contracts.evaluator import ClassEvaluator
from harness.errors import UsageError
from harness.plugins import Plugins
from harness.plugins.faults import blaming, expect
from harness.plugins.kinds import CLASS_EVALUATOR
from harness.store.weights import unpacked
from harness.values.base import Options, Value
from harness.values.class_comparison import ClassComparison, ClassEntry
from harness.values.results import AssignmentInfo, Attempt


class ClassReport(Value):
    """What `harness similarity --json` writes. For the instructor only: it accuses by name."""

    schema_version: Literal[1] = 1
    """The version of this format."""
    assignment: AssignmentInfo
    """What was graded against."""
    compared: tuple[str, ...]
    """Submissions that were."""
    not_kept: tuple[str, ...]
    """Submissions that ran when they were graded, but whose weights were not kept."""
    comparisons: Mapping[str, ClassComparison]
    """By class evaluator."""

    def to_json(self) -> str:
        """One compact JSON document in plain ASCII."""
        return json.dumps(self.model_dump(mode="json"), separators=(",", ":"), allow_nan=False)


def compare(
    assignment: Assignment, plugins: Plugins, attempts: Sequence[Attempt], weights: Mapping[str, bytes]
) -> ClassReport:
    """Run every class evaluator of the assignment.

    Args:
        attempts: the newest of every submission.
        weights: of those that have any, as `harness.store.weights` packs them.

    Raises:
        UsageError: the assignment compares nothing, or no weights were kept.
        PluginError: a class evaluator failed.
    """
    if not assignment.class_options:
        known = ", ".join(f"[class_evaluators.{name}]" for name in plugins.class_evaluators)
        raise UsageError(f"{assignment.id} compares nothing across the class: write {known} into {assignment.source}")
    entries = [_entry(each, weights[each.result.submission]) for each in attempts if each.result.submission in weights]
    if not entries:
        raise UsageError(
            f"no weights were kept for {assignment.id}: 'harness grade' keeps them from now on; for submissions that "
            "have not changed since they were graded, add --fresh"
        )
    graded = {each.result.submission for each in attempts if each.result.status == "graded"}
    return ClassReport(
        assignment=assignment.info,
        compared=tuple(each.submission for each in entries),
        not_kept=tuple(sorted(graded - weights.keys())),
        comparisons={
            name: _compared(plugins.class_evaluators[name], entries, options)
            for name, options in assignment.class_options.items()
        },
    )


def _compared(evaluator: ClassEvaluator[Any], entries: Sequence[ClassEntry], options: Options) -> ClassComparison:
    with blaming(CLASS_EVALUATOR, evaluator, "evaluate_class"):
        found = evaluator.evaluate_class(entries, options)
    return expect(CLASS_EVALUATOR, evaluator, "evaluate_class", found, ClassComparison)


def _entry(attempt: Attempt, weights: bytes) -> ClassEntry:
    kept, result = unpacked(weights), attempt.result
    return ClassEntry(
        submission=result.submission,
        weights=kept.weights,
        digests=kept.digests,
        file_digest=kept.file_digest,
        predictions=result.predictions,
        submitted_at=result.submitted_at,
    )
