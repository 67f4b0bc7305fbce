"""Find whom a name means: an id, or what the board calls a submission."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from harness.board.display_names import nicknames, pseudonyms
from harness.errors import UsageError
from harness.store.store import Store
from harness.text import suggestion


def whom(store: Store, assignment_id: str, name: str, groups: Mapping[str, str] | None = None) -> str:
    """The id that a name on any board means: an id itself, a nickname or a pseudonym, in this order.

    Args:
        groups: id -> the person or team it belongs to, of everyone in the roster; they may have handed in nothing.

    Raises:
        UsageError: nobody is called so.
    """
    groups = groups or {}
    known = {*store.submissions(assignment_id), *groups}
    if name in known:
        return name
    called = board_names(store, assignment_id, groups)
    found = {shown.casefold(): submission for shown, submission in called.items()}
    if name.casefold() in found:
        return found[name.casefold()]
    raise UsageError(_nobody(store, assignment_id, name, {*known, *called}))


def board_names(store: Store, assignment_id: str, groups: Mapping[str, str]) -> dict[str, str]:
    """Pseudonym or nickname -> submission id."""
    results = [each.result for each in store.latest(assignment_id, depth="brief")]
    hidden = pseudonyms(results, store.secret("pseudonyms").encode(), groups)
    shown = {**hidden, **nicknames(results)}
    return {hidden[each]: each for each in hidden} | {shown[each]: each for each in shown}


def _nobody(store: Store, assignment_id: str, name: str, known: Collection[str]) -> str:
    hint = suggestion(name, known) or "; --roster names those who have handed in nothing yet"
    return f"{store.url} holds no results of {name!r} for {assignment_id}{hint}"
