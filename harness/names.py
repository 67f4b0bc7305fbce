"""What submissions are called on a board: nicknames that are nobody else's, or pseudonyms that tell nothing."""

from __future__ import annotations

import base64
import hmac
from collections import Counter
from collections.abc import Mapping, Sequence

from harness.results import Result
from harness.text import clean

_NICKNAME_CHARACTERS = 60
_ID_CHARACTERS = 120
# 50 bits: in a class of 10,000 two are called the same once in twenty million boards.
_PSEUDONYM_LETTERS = 10


def nicknames(results: Sequence[Result]) -> dict[str, str]:
    """Submission id -> the name to show; a nickname that another row also answers to gets its id beside it."""
    wanted = {
        each.submission: clean(each.nickname or "", _NICKNAME_CHARACTERS) or clean(each.submission, _ID_CHARACTERS)
        for each in results
    }
    uses = Counter(name.casefold() for name in wanted.values())
    taken = {clean(each.submission, _ID_CHARACTERS).casefold(): each.submission for each in results}
    names = {}
    for submission, name in wanted.items():
        unique = uses[name.casefold()] == 1 and taken.get(name.casefold(), submission) == submission
        names[submission] = name if unique else f"{name} ({clean(submission, _ID_CHARACTERS)})"
    return names


def pseudonyms(results: Sequence[Result], key: bytes, groups: Mapping[str, str]) -> dict[str, str]:
    """Submission id -> a name nobody chose: the same on every board, and nothing without the key.

    Args:
        key: the store's secret; without it, trying all ids would tell who is who.
        groups: submission id -> its team, where there are teams: a team keeps its name whoever hands in.
    """
    return {each.submission: _pseudonym(key, groups.get(each.submission, each.submission)) for each in results}


def _pseudonym(key: bytes, identity: str) -> str:
    digest = hmac.digest(key, identity.encode("utf-8", "surrogateescape"), "sha256")
    letters = base64.b32encode(digest).decode("ascii").lower()[:_PSEUDONYM_LETTERS]
    return f"{letters[:5]}-{letters[5:]}"
