"""Name submissions on a board: nicknames that are nobody else's, or pseudonyms that tell nothing."""

from __future__ import annotations

import base64
import hmac
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import count

from harness.text import clean
from harness.values.results import Result

_NICKNAME_CHARACTERS = 60
_ID_CHARACTERS = 120
# 50 bits: in a class of 10,000 two are called the same once in twenty million boards.
_PSEUDONYM_LETTERS = 10


def nicknames(results: Sequence[Result]) -> dict[str, str]:
    """Submission id -> the name to show, which no other row has, nor any other submission as its id.

    A nickname that is taken gets a number. An id instead would tell whose it is: choosing someone's nickname would
    unmask them.
    """
    ids = {each.submission: clean(each.submission, _ID_CHARACTERS) for each in results}
    wanted = {
        each.submission: clean(each.nickname or "", _NICKNAME_CHARACTERS) or ids[each.submission] for each in results
    }
    uses = Counter(name.casefold() for name in wanted.values())
    owners = {shown.casefold(): submission for submission, shown in ids.items()}
    taken = {*uses, *owners}
    names = {}
    for submission, name in wanted.items():
        key = name.casefold()
        own = owners.get(key, submission) == submission
        if own and (uses[key] == 1 or name == ids[submission]):
            names[submission] = name
        else:
            numbered = (f"{name} ({number})" for number in count(1))
            names[submission] = next(each for each in numbered if each.casefold() not in taken)
            taken.add(names[submission].casefold())
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
