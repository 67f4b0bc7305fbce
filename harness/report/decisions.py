"""Tell what an instructor decided about someone beside points, in sentences its reader may see."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import tzinfo

from harness.values.base import Audience
from harness.values.decisions import Request, Ruling, RulingKind, rulings_in_force, thread
from harness.values.moments import moment_text

_KINDS: tuple[RulingKind, ...] = ("removed", "excused", "extended")


def decision_sentences(
    names: Collection[str],
    rulings: Iterable[tuple[str, Ruling]],
    requests: Iterable[tuple[str, Request]],
    *,
    audience: Audience,
    zone: tzinfo,
) -> tuple[str, ...]:
    """What holds, then what was asked and answered; reasons and authors of rulings for the instructor alone.

    Args:
        names: the submission's id and its team's.
        zone: whose clocks times are told by.
    """
    rulings, requests = tuple(rulings), tuple(requests)
    sentences = []
    for kind in _KINDS:
        for who, ruling in rulings_in_force(rulings, kind).items():
            if who in names:
                said = ruling.said(zone)
                sentences.append(said[:1].upper() + said[1:] if audience == "instructor" else _plain(ruling, zone))
    for name in names:
        for asked, reply in thread(requests, name):
            answer = f"answer of {moment_text(reply.at, zone)}: {reply.text}" if reply else "not answered yet"
            sentences.append(f"Asked on {moment_text(asked.at, zone)}: {asked.text} – {answer}")
    return tuple(sentences)


def _plain(ruling: Ruling, zone: tzinfo) -> str:
    match ruling.kind:
        case "removed":
            return "Not on the board: no longer in the class."
        case "excused":
            return "Excused: this assignment does not count, neither as a score nor as a zero."
        case "extended":
            return f"More time: due {moment_text(ruling.until or ruling.at, zone)}."
