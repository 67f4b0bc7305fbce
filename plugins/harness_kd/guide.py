"""Write the students' guide to KD-loss mistakes, as Markdown made from the catalogue."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from harness_kd.catalogue import NAN_MISTAKES, PARTS, Mistake, mistakes
from harness_kd.reference import Case, batch, loss

_EXAMPLES_SHOWN = (("α=0.3, T=4", 0.3, 4.0), ("α=0.7, T=2.5", 0.7, 2.5))
_HIDING = (
    ("T=1", 0.3, 1.0),
    ("α=½", 0.5, 3.0),
    ("T=1 and α=½", 0.5, 1.0),
)
_CHAPTERS = {
    "divergence": "The soft term",
    "softening": "The temperature inside the softmax",
    "power": "The factor T²",
    "reduction": "The mean of the soft term",
    "weights": "The weights",
    "hard": "The hard term",
    "hard_scale": "The mean of the hard term",
    "whole": "The whole sum",
}


def guide(classes: int = 10) -> str:
    """One section per part of the loss and one entry per mistake, with values on a fixed batch."""
    case = batch(classes, 0)
    entries = list(mistakes())
    lines: list[str] = []
    for part, title in _CHAPTERS.items():
        names = {choice.name for choice in PARTS[part]}
        lines += [f"## {title}", ""]
        lines += [line for each in entries if each.name in names for line in _entry(each, case)]
    single = {choice.name for choices in PARTS.values() for choice in choices}
    lines += ["## Several parts at once", ""]
    lines += [line for each in entries if each.name not in single for line in _entry(each, case)]
    lines += ["## NaN", ""]
    for mistake in NAN_MISTAKES.values():
        if mistake.why:
            lines += [f"### `{mistake.name}`: {mistake.title}", "",
                      f"- **Formula:** {mistake.formula}, which is NaN on ordinary logits",
                      f"- **Why it looks right:** {mistake.why}", f"- **Instead:** {mistake.fix}", ""]  # fmt: skip
    return "\n".join(lines)


def _entry(mistake: Mistake, case: Case) -> Iterator[str]:
    choice = mistake.choice
    yield f"### `{mistake.name}`: {choice.title}"
    yield ""
    yield f"- **Formula:** L = {mistake.formula}"
    yield f"- **Why it looks right:** {choice.why}"
    yield f"- **Instead:** {choice.fix}"
    yield f"- **Shows at** {_shows(mistake, case)}"
    yield ""


def _shows(mistake: Mistake, case: Case) -> str:
    for name, alpha, temperature in _EXAMPLES_SHOWN:
        tried = replace(case, alpha=alpha, temperature=temperature)
        value, right = mistake.formula.value(tried), loss(tried)
        if not math.isclose(value, right, rel_tol=1e-4):
            hidden = _hidden(mistake, case)
            return f"{name}: {value:.3f} instead of {right:.3f}{f'; **hidden at** {hidden}' if hidden else ''}"
    raise AssertionError(f"{mistake.name} is right on the grid")


def _hidden(mistake: Mistake, case: Case) -> str:
    """Settings at which the mistake changes nothing."""
    found: list[str] = []
    for name, alpha, temperature in _HIDING:
        tried = replace(case, alpha=alpha, temperature=temperature)
        covered = any(part in found for part in name.split(" and "))
        if not covered and math.isclose(mistake.formula.value(tried), loss(tried), rel_tol=1e-9, abs_tol=1e-12):
            found.append(name)
    return ", ".join(found)
