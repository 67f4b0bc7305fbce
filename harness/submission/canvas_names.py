"""Read the names that Canvas gives to files of a bulk download.

    <sortable name>[_LATE]_<user id>_<attachment id>_<name of the file>
    <sortable name>[_LATE]_<user id>_text.html or _link.html

As Canvas writes them (`lib/content_zipper.rb` of github.com/instructure/canvas-lms): the name is in lower case, holds
what Ruby calls `[[:word:]]` (letters, marks, numbers and connectors of every script), and `_<digits>_` inside it loses
its underscores. So a name may end in a number, as `team_07` does, and the name of a file may begin with one, as
`310551001_hw2.py` does: then numbers alone do not tell where the name ends, and the class as a whole has to.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

_REST = re.compile(
    r"(?P<user>[1-9][0-9]*)_(?:(?P<number>[1-9][0-9]*)_(?P<file>.+)|(?P<entry>(?:text|link)\.html))", re.DOTALL
)
_ANONYMOUS = re.compile(
    r"(?P<late>LATE_)?anon_(?P<user>[0-9A-Za-z]+)_(?:(?P<number>\d+)_(?P<file>.+)|(?P<entry>(?:text|link)\.html))"
)
_NUMBER_INSIDE = re.compile(r"_[0-9]+_(?!LATE_[0-9])")
_LATE = "_LATE"
SMALL_DIGITS = 2
"""Numbers of teams are that long; ids of Canvas are longer."""
_JOINERS = "\u200c\u200d"
_LOOSE = ("Po", "Pd", "Pf", "Pi", "Zs", "So", "Sk")


@dataclass(frozen=True, slots=True)
class CanvasName:
    """What the name of a file says: whose it is, which attachment, and what it was called when it was handed in."""

    person: str
    user: str
    number: int
    """The attachment's id; later uploads have larger ones. 0 for what was typed into Canvas."""
    file: str
    late: bool


def canvas_names(names: Iterable[str]) -> dict[str, CanvasName]:
    """Those of the names that Canvas writes, each with what it says; the others are absent."""
    found = _strictly_and_loosely(names)
    certain = [readings[0] for readings in found.values() if len(readings) == 1]
    groups: dict[str, list[str]] = {}
    for name, readings in found.items():
        if len(readings) > 1:
            groups.setdefault(readings[0].person, []).append(name)
    undoubted = {person for person, same in groups.items() if not _conflicts(found[name][0] for name in same)}
    near = certain or [found[name][0] for person in undoubted for name in groups[person]]
    chosen = {name: readings[0] for name, readings in found.items()}
    for person, same in groups.items():
        which = _best([found[name] for name in same], certain if person in undoubted else near)
        chosen |= {name: found[name][which] for name in same}
    return chosen


def _strictly_and_loosely(names: Iterable[str]) -> dict[str, list[CanvasName]]:
    """The ways to read each name; beside those that Canvas writes, some that people renamed or wrote like them.

    These may have apostrophes, commas, spaces or emoji before two numbers as long as Canvas's ids.
    """
    found = {name: list(_readings(name)) for name in names}
    if any(found.values()):
        for name in [name for name, readings in found.items() if not readings]:
            readings = list(_readings(name, also=_LOOSE))
            if len(readings) == 1 and min(len(readings[0].user), len(str(readings[0].number))) > SMALL_DIGITS:
                found[name] = readings
    return {name: readings for name, readings in found.items() if readings}


def _readings(name: str, also: Container[str] = ()) -> Iterator[CanvasName]:
    """Every way to read it, the one with the shortest name first.

    Args:
        also: kinds of characters that the name may have beside what Canvas leaves.
    """
    anonymous = _ANONYMOUS.fullmatch(name)
    if anonymous:
        yield _reading("", anonymous, late=bool(anonymous["late"]))
        return
    number = _NUMBER_INSIDE.search(name)
    inside = number.end() - 1 if number else len(name)
    longest = next((at for at, each in enumerate(name[:inside]) if not (_is_word(each) or _kind(each) in also)), inside)
    for place in (at for at, each in enumerate(name[: longest + 1]) if each == "_"):
        rest = _REST.fullmatch(name, place + 1)
        if rest:
            person = name[:place]
            yield _reading(person.removesuffix(_LATE), rest, late=person.endswith(_LATE))


def _reading(person: str, match: re.Match[str], *, late: bool) -> CanvasName:
    return CanvasName(person, match["user"], int(match["number"] or 0), match["file"] or match["entry"], late)


def _kind(character: str) -> str:
    """Its category; a full stop, which begins the suffix of a file, is none."""
    return "" if character == "." else unicodedata.category(character)


def _is_word(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "LMN" or category == "Pc" or character in _JOINERS


def _best(readings: Sequence[Sequence[CanvasName]], near: Sequence[CanvasName]) -> int:
    """Which reading fits files of one name: 0, the first number is an id, or 1, the second is."""
    first, second = ([each[index] for each in readings] for index in (0, 1))
    if near:
        return int(_distance(second, near) < _distance(first, near))
    if all(len(each.user) <= SMALL_DIGITS for each in first):
        return int(any(len(each.user) > SMALL_DIGITS for each in second))
    return int(_conflicts(second) < _conflicts(first))


def _conflicts(readings: Iterable[CanvasName]) -> int:
    """How often one name would be that of several people, and one person have several names."""
    pairs = {(each.person, each.user) for each in readings}
    return 2 * len(pairs) - len({person for person, _ in pairs}) - len({user for _, user in pairs})


def _distance(readings: Sequence[CanvasName], near: Sequence[CanvasName]) -> float:
    """How far their ids are from others of the class, in powers of ten: Canvas counts its ids upwards."""
    users, numbers = _scale(each.user for each in near), _scale(each.number for each in near)
    return sum(abs(_power(each.user) - users) + abs(_power(each.number) - numbers) for each in readings)


def _scale(ids: Iterable[str | int]) -> float:
    return median(map(_power, ids))


def _power(number: str | int) -> float:
    # Ids of names made up to be long are no floats.
    return len(number) if isinstance(number, str) and len(number) > 15 else math.log10(max(1, int(number)))
