"""Compare a class from the store alone: what grading kept of it, given to the assignment's class evaluators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import tzinfo
from pathlib import Path
from typing import Any

from zstandard import ZstdError

from harness.assignment.loading import Assignment
from harness.contracts.evaluator import ClassEvaluator
from harness.errors import UsageError
from harness.plugins import Plugins
from harness.plugins.faults import blaming, expect
from harness.plugins.kinds import CLASS_EVALUATOR
from harness.store.sources import unpacked as unpacked_sources
from harness.store.weights import Kept, unpacked
from harness.values.base import Options
from harness.values.class_comparison import ClassComparison, ClassEntry, ClassReport
from harness.values.results import Attempt
from harness.worker.sources.kept import source_texts


def compare(
    assignment: Assignment,
    plugins: Plugins,
    attempts: Sequence[Attempt],
    *,
    weights: Mapping[str, bytes],
    sources: Mapping[str, bytes],
    starter: Sequence[Path] = (),
) -> ClassReport:
    """Run every class evaluator of the assignment.

    Args:
        attempts: the newest of every submission.
        weights: of those that have any, as `harness.store.weights` packs them.
        sources: of those that have any, as `harness.store.sources` packs them.
        starter: sources that everybody was given, beside those that the assignment names.

    Raises:
        UsageError: the assignment compares nothing, nothing was kept, or a file of `starter` is not there.
        PluginError: a class evaluator failed.
    """
    if not assignment.class_options:
        known = ", ".join(f"[class_evaluators.{name}]" for name in plugins.class_evaluators)
        raise UsageError(f"{assignment.id} compares nothing across the class: write {known} into {assignment.source}")
    ids = weights.keys() | sources.keys()
    entries = [
        _entry(each, weights, sources, assignment.rules.zone) for each in attempts if each.result.submission in ids
    ]
    handed_out = _handed_out((*assignment.starter, *starter))
    if not entries:
        raise UsageError(
            f"nothing was kept of hand-ins for {assignment.id}: 'harness grade' keeps weights and sources from now on; "
            "for submissions that have not changed since they were graded, add --fresh"
        )
    graded = {each.result.submission for each in attempts if each.result.status == "graded"}
    return ClassReport(
        assignment=assignment.info,
        compared=tuple(each.submission for each in entries),
        not_kept=tuple(sorted(graded - weights.keys())),
        sources_not_kept=tuple(sorted(graded - sources.keys())),
        comparisons={
            name: _compared(plugins.class_evaluators[name], entries, options, handed_out)
            for name, options in assignment.class_options.items()
        },
    )


def _compared(
    evaluator: ClassEvaluator[Any], entries: Sequence[ClassEntry], options: Options, handed_out: Mapping[str, str]
) -> ClassComparison:
    with blaming(CLASS_EVALUATOR, evaluator, "evaluate_class"):
        found = evaluator.evaluate_class(entries, options, handed_out)
    return expect(CLASS_EVALUATOR, evaluator, "evaluate_class", found, ClassComparison)


def _entry(attempt: Attempt, weights: Mapping[str, bytes], sources: Mapping[str, bytes], zone: tzinfo) -> ClassEntry:
    result = attempt.result
    packed = weights.get(result.submission)
    kept = unpacked(packed) if packed is not None else Kept({}, {}, "")
    return ClassEntry(
        submission=result.submission,
        weights=kept.weights,
        digests=kept.digests,
        file_digest=kept.file_digest,
        predictions=result.predictions,
        submitted_at=result.submitted_at and result.submitted_at.astimezone(zone),
        sources=_texts(sources.get(result.submission)),
    )


def _texts(packed: bytes | None) -> dict[str, str]:
    # A damaged row costs one comparison, not the class's.
    with suppress(ValueError, ZstdError):
        return {} if packed is None else unpacked_sources(packed)
    return {}


def _handed_out(files: Sequence[Path]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for file in files:
        if not file.is_file():
            raise UsageError(f"{file}: no such file; --starter names the sources that everybody was given")
        texts |= {f"{file}: {label}": text for label, text in source_texts(file.parent, [Path(file.name)]).items()}
    return texts
