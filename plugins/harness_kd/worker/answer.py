"""Answer the check: run the student's loss on the grader's probes and report raw values.

Request facts: `functions` (names to look for, in order) and `probes` (name, alpha, temperature, dtype, and the
keys of the tensors student, labels, teacher). Reply facts:

    missing     only when nothing was found: what was looked for and what the sources define
    unusable    only when it was found but not called: why
    function    name, file, line; `code`: [line, statement] pairs; `literals`; `notes` on how it was found
    functions   that one, and others that look like a KD loss, where none was named
    attempts    readings of their parameters and of what they return, likeliest first: `function` (its number),
                `roles`, `where`, `guessed`, `plan`, `percent`, `own`, `entries`, `teachers`, `outcomes` by probe

Tensors are called `<attempt>/<probe>/value` and `<attempt>/<probe>/gradient`. All of it is claims: it was
computed beside student code, and only the grader compares it with anything.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.api import Sources, SubmissionError, WorkerAnswer
from harness.api.worker import cpu_only, describe
from harness_kd.worker.binding import KdAttempt, attempts
from harness_kd.worker.code import code_lines, literals
from harness_kd.worker.outcome import outcome, returned_entries, teacher_gradient
from harness_kd.worker.search import Ambiguous, Target, find
from harness_kd.worker.signature import Unbindable

if TYPE_CHECKING:
    from torch import Tensor

_MAX_NAMES = 40
_MAX_WARNINGS = 3
_MAX_ATTEMPTS = 40


def answer(sources: Sources, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> WorkerAnswer:
    """Find the KD loss, bind its parameters and try every probe on fresh copies of the tensors."""
    import torch

    wanted = [str(name) for name in facts["functions"]]
    try:
        found = find(sources, wanted, str(facts.get("near", "")))
    except Ambiguous as several:
        why = {"why": "several", "text": str(several), "hint": several.hint}
        return {"function": _described(several.targets[-1], sources, []), "unusable": why}, {}
    if not found:
        return {"missing": {"looked_for": wanted, "defined": _defined(sources)}}, {}
    described = [_described(target, sources, notes) for target, notes in found]
    said: list[dict[str, Any]] = []
    named: dict[str, Tensor] = {}
    refused: list[dict[str, str]] = []
    with warnings.catch_warnings(record=True) as caught, torch.enable_grad(), cpu_only():
        warnings.simplefilter("always")
        for number, (target, _) in enumerate(found):
            results, unusable = _attempted(target, sources, facts["probes"], tensors)
            refused += [unusable] if unusable else []
            for attempt, values in results:
                named |= {f"{len(said)}/{name}": tensor for name, tensor in values.items()}
                said.append({**attempt, "function": number})
    if not said:
        return {"function": described[0], "unusable": refused[0]}, {}
    return {"function": described[0], "functions": described, "attempts": said, "warnings": _texts(caught)}, named


def _attempted(
    target: Target, sources: Sources, probes: Sequence[dict[str, Any]], tensors: Mapping[str, Tensor]
) -> tuple[list[WorkerAnswer], dict[str, str]]:
    """All readings of one function tried, or why it cannot be."""
    readings: list[KdAttempt] = []
    try:
        readings = attempts(sources.load(target.key(sources)).object, target)
        tries: list[WorkerAnswer] = []
        for reading in readings:
            entries = returned_entries(reading, probes[0], tensors)
            tries += [_tried(entry, len(entries), probes, tensors) for entry in entries]
        return tries[:_MAX_ATTEMPTS], {}
    except Unbindable as error:
        return [], {"why": "parameters", "text": str(error)}
    except SubmissionError as error:
        return [], {"why": "raised", "text": error.reason}
    except BaseException as error:  # noqa: BLE001 - loading runs student code
        return [], {"why": "raised", "text": describe(error)}
    finally:
        for reading in readings[:1]:
            reading.restore()


def _tried(
    attempt: KdAttempt, entries: int, probes: Sequence[dict[str, Any]], tensors: Mapping[str, Tensor]
) -> WorkerAnswer:
    outcomes: dict[str, Any] = {}
    results: dict[str, Tensor] = {}
    for probe in probes:
        name = str(probe["name"])
        outcomes[name], found = outcome(attempt, probe, tensors)
        results |= {f"{name}/{key}": tensor for key, tensor in found.items()}
    said = {"roles": attempt.roles, "where": attempt.where, "guessed": attempt.guessed, "outcomes": outcomes,
            "plan": attempt.plan, "percent": attempt.percent, "own": attempt.own, "entries": entries,
            "teachers": attempt.teacher,
            "teacher_gradient": bool(probes) and teacher_gradient(attempt, probes[0], tensors)}  # fmt: skip
    return said, results


def _described(target: Target, sources: Sources, notes: list[str]) -> dict[str, Any]:
    node = target.node
    return {
        "name": target.name,
        "file": str(target.definition.file),
        "line": getattr(node, "lineno", target.definition.line),
        "parameters": target.parameters,
        "notes": notes,
        "code": [list(pair) for pair in code_lines(target, sources)],
        "literals": literals(target, sources),
    }


def _defined(sources: Sources) -> list[str]:
    return [f"{each.kind} {each.name}" for each in sources.names() if each.kind != "assignment"][:_MAX_NAMES]


def _texts(caught: Sequence[warnings.WarningMessage]) -> list[str]:
    texts = dict.fromkeys(" ".join(str(each.message).split())[:200] for each in caught)
    return list(texts)[:_MAX_WARNINGS]
