"""Choose what makes the network where names leave it open: by the weights, which fit one and not the others."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import SubmissionError
from harness.networks.key_matching import match_keys, stands_beside
from harness.networks.weights import origins
from harness.worker.replies import Built, Candidate, Surveyed

if TYPE_CHECKING:
    from torch import Tensor

_MAX_OFFERED = 3
_MANY_TENSORS = 5000
_SETTINGS = "submission.toml"


def fitting(candidates: Iterable[Candidate], tensors: Mapping[str, Tensor]) -> list[Candidate]:
    """Those whose names and shapes the weights match, in their order."""
    return [each for each in candidates if fits(each, tensors)]


def chosen(surveyed: Surveyed, tensors: Mapping[str, Tensor], names: Sequence[str]) -> Candidate | None:
    """The one definition, of those that the assignment names, which the weights fit as it is; else the pickled module.

    None as well where two different definitions of one name fit: which of them was trained cannot be seen.
    """
    plain = [each for each in fitting(surveyed.candidates, tensors) if not each.arguments]
    for name in names:
        found = [each for each in plain if each.entry_point and name in {each.name, each.entry_point}]
        if found:
            return found[0] if len({each.wording for each in found}) == 1 else None
    return next((each for each in plain if not each.entry_point), None)


def said_of_choice(
    taken: Candidate, surveyed: Surveyed, tensors: Mapping[str, Tensor], *, weights: str, names: Sequence[str], why: str
) -> str:
    """The note on what was taken, and why not what else.

    Args:
        why: what was wrong with the first choice.
    """
    others = [each for each in surveyed.candidates if each.entry_point and not fits(each, tensors)]
    listed = " or ".join(dict.fromkeys(f"{each.name} ({each.place})" for each in others))
    first = why.split("\n", maxsplit=1)[0]
    if taken.entry_point:
        rest = f", and they do not fit {listed}" if others else f"; otherwise: {first}"
        return f"{taken.name} ({taken.place}) was taken as the network: the weights fit it{rest}"
    said = f"the network is the module that {weights} holds, a pickled {taken.name} ({taken.place})"
    if surveyed.missing:
        return f"{said}: {' or '.join(names)} is not defined"
    rest = f"{listed} makes others now" if others else f"otherwise: {first}"
    return f"{said}, with the layers and widths it was saved with; {rest}"


def refused(
    error: SubmissionError, surveyed: Surveyed, tensors: Mapping[str, Tensor], names: Sequence[str]
) -> SubmissionError:
    """The refusal, with the lines that would settle it: each of them was tried."""
    found = fitting(surveyed.candidates, tensors)
    offers = [each for each in found if each.entry_point and (each.name not in names or each.arguments)]
    offers += [each for each in found if each.entry_point not in {"", each.name} and each not in offers]
    meant = surveyed.did_you_mean
    if not offers:
        unfit = _unfit(surveyed, tensors, names) if surveyed.missing else None
        return SubmissionError(error.status, error.reason, meant or unfit or error.hint)
    best = offers[0]
    if meant is not None and meant.startswith(f"did you mean {best.name} (") and not best.arguments:
        return SubmissionError(error.status, error.reason, f"{meant}. The weights fit it")
    shown = offers[:1] if best.arguments else [each for each in offers if not each.arguments][:_MAX_OFFERED]
    lines = " or ".join(dict.fromkeys(_lines(each, names) for each in shown))
    called = " and ".join(dict.fromkeys(_called(each) for each in shown))
    return SubmissionError(
        error.status, error.reason, f"this was tried and fits the weights: {called}. Write into {_SETTINGS}: {lines}"
    )


def _unfit(surveyed: Surveyed, tensors: Mapping[str, Tensor], names: Sequence[str]) -> str | None:
    """Where nothing fits, nothing is offered: what comes closest is said instead."""
    alike = [(_alike(each.state, tensors), each) for each in surveyed.candidates]
    if not alike:
        return None
    (count, named), best = max(alike, key=lambda item: item[0])
    closest = f"; closest is {_called(best)}, with {count} of {len(tensors)} tensors" if named else ""
    return (
        f"the weights file fits nothing that these sources can make{closest}: hand in the class that was trained, "
        f"called {' or '.join(names)}"
    )


def _alike(state: Mapping[str, tuple[int, ...]], tensors: Mapping[str, Tensor]) -> tuple[int, int]:
    """How many tensors have the same name and shape, and how many the same name."""
    named = [name for name in state if name in tensors]
    return sum(tuple(tensors[name].shape) == state[name] for name in named), len(named)


def fits(made: Built | Candidate, tensors: Mapping[str, Tensor]) -> bool:
    """Whether names and shapes match, and nothing is left out but what trained it."""
    if not made.state:
        return False
    if len(tensors) > _MANY_TENSORS and len(tensors) != len(made.state):
        return False  # to match many names with many candidates takes long
    try:
        found, _ = match_keys(tensors, made.state, made.tied)
    except SubmissionError:
        return False
    used = origins(tensors, found)
    return all(name in used or each.numel() <= 1 or stands_beside(name) for name, each in tensors.items())


def _called(candidate: Candidate) -> str:
    values = ", ".join(f"{name}={each!r}" for name, each in candidate.arguments.items())
    shown = candidate.name if candidate.kind == "assignment" else f"{candidate.name}({values})"
    return f"{shown} ({candidate.place})"


def _lines(candidate: Candidate, names: Sequence[str]) -> str:
    lines = []
    if candidate.entry_point not in names[:1]:
        lines.append(f'entry_point = "{candidate.entry_point}"')
    if candidate.arguments:
        values = ", ".join(f"{name} = {_toml(each)}" for name, each in candidate.arguments.items())
        lines.append(f"model_arguments = {{ {values} }}")
    return " and, in the next line, ".join(lines)


def _toml(value: Any) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value)
