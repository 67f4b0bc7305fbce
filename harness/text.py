"""Make text that students wrote, and numbers, fit to be shown.

Names, reasons and captured output come from people who may want to move a cursor, colour a verdict green or reverse a
line. Everything of theirs passes `clean` (or `clean_lines`) before it reaches a terminal, a table or a page; escaping
for the format at hand (rich markup, Markdown, CSV, HTML) is the renderer's and comes after.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence

from harness.values.measures import Metric
from harness.values.results import PointsPossible


def suggestion(name: str, known: Iterable[str]) -> str:
    """'; did you mean …?' for a misspelt name, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


# ECMA-48: control sequences (CSI), strings (OSC, DCS, SOS, PM, APC) up to their end, and two-character escapes.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
# Joiners shape Persian and Indic words and emoji; every other invisible format character only misleads.
_KEPT_FORMATS = frozenset("\u200c\u200d")

# What spreadsheets take for the start of a formula; the last four are full-width, as East Asian keyboards type them.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# Excel takes 32,767.
_CELL_CHARACTERS = 30_000
_MARKDOWN = re.compile(r"[\\`*_\[\]|<>&~#]")
# Entities for what HTML would take, also in renderers that know no backslash before it.
_CHINESE = re.compile(r"[\u4e00-\u9fff]{2}")
_UNUSUAL = re.compile(r"[\ue000-\uf8ff]")
"""What cp950 has for private use: other encodings come out as that."""
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}


def clean(text: str, limit_characters: int = 500) -> str:
    """One line without escape sequences, control, bidirectional or other invisible characters, at most so long."""
    # Nearly every text; Python's idea of what cannot be printed covers all that would be taken out.
    line = " ".join(text.split()) if text.isprintable() else _cleaned(text)
    return line if len(line) <= limit_characters else line[: limit_characters - 1] + "…"


def _cleaned(text: str) -> str:
    lines = (" ".join("".join(map(_visible, each)).split()) for each in _ESCAPES.sub("", text).splitlines())
    return "; ".join(each for each in lines if each)


def clean_lines(text: str, limit_lines: int = 200) -> list[str]:
    """The same line by line, for captured output and longer reasons; indentation is kept, the end of it when long."""
    # Split before escapes are removed: one without an end must not swallow the following lines.
    raw = text.replace("\r\n", "\n").split("\n")
    lines = ["".join(map(_visible, _ESCAPES.sub("", line.expandtabs(4)))).rstrip() for line in raw]
    while lines and not lines[-1]:
        lines.pop()
    return lines if len(lines) <= limit_lines else ["…", *lines[-limit_lines:]]


def metric_text(metric: Metric) -> str:
    """A metric for people: '93.93 %', '95,386', '387,480 bytes'."""
    if metric.unit == "fraction":
        return f"{100 * metric.value:.2f} %"
    number = number_text(metric.value)
    return number if metric.unit in {"", "parameters"} else f"{number} {clean(metric.unit, 30)}"


def figure_text(metric: Metric | None, title: str) -> str:
    """The same below or beside its title, which need not say the unit twice: '387,480' of 'stored bytes'.

    Nothing where it was not measured.
    """
    if metric is None:
        return ""
    return number_text(metric.value) if metric.unit in title.split() else metric_text(metric)


def number_text(value: float) -> str:
    """A number for people: '95,386', '1,234,567', '1.299'; what is not whole has four significant digits at least."""
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.4g}"


def told_apart(one: float, other: float, unit: str) -> tuple[str, str]:
    """Two values of a metric, with as many digits as tell them apart: '89.996 %' and '90.000 %'."""
    if unit != "fraction":
        texts = (number_text(one), number_text(other))
        return texts if one == other or texts[0] != texts[1] else (f"{one:,}", f"{other:,}")
    for digits in range(2, 15):
        texts = (f"{100 * one:.{digits}f} %", f"{100 * other:.{digits}f} %")
        if one == other or texts[0] != texts[1]:
            break
    return texts


def cell_text(cell: Metric | str | None, column: str) -> str:
    """A table's cell, a number with its interval: '93.93 % (93.44–94.38 %)'; '–' for what is not known.

    Args:
        column: its heading, which need not say the unit twice.
    """
    if isinstance(cell, Metric):
        interval = interval_text(cell)
        return figure_text(cell, column) + (f" ({interval})" if interval else "")
    return "–" if cell is None else clean(cell)


def interval_text(metric: Metric) -> str:
    """Its 95 % interval, '93.44–94.38 %' or '-2.10 to 0.35 %', or nothing when there is none."""
    if metric.low is None or metric.high is None:
        return ""
    between = "–" if metric.low >= 0 else " to "
    if metric.unit == "fraction":
        return f"{100 * metric.low:.2f}{between}{100 * metric.high:.2f} %"
    return f"{number_text(metric.low)}{between}{number_text(metric.high)}"


def score_text(score: float, max_score: float, pending: float = 0) -> str:
    """'45 / 45', without trailing zeros; '–' where nothing gives automatic points; '0 / 45 (45 pending)'."""
    text = f"{score:.6g} / {max_score:.6g}" if max_score else "–"
    return f"{text} ({pending:.6g} pending)" if pending else text


def whole_text(score: float, possible: PointsPossible, pending: float = 0) -> str:
    """A score with the whole: '45 of 100 so far; 30 by rank, 25 by hand to come', or '75 / 100' when all is known."""
    rest = to_come_text(possible)
    if not rest:
        return score_text(score, possible.total, pending)
    waiting = f" ({pending:.6g} pending)" if pending else ""
    return f"{score:.6g} of {possible.total:.6g} so far{waiting}; {rest}"


def to_come_text(possible: PointsPossible) -> str:
    """'30 by rank, 25 by hand to come', or nothing."""
    kinds = {
        "after publication": possible.after_publication,
        "by rank": possible.by_rank,
        "by hand": possible.by_hand,
    }
    parts = [f"{points:.6g} {kind}" for kind, points in kinds.items() if points]
    return f"{', '.join(parts)} to come" if parts else ""


def points_text(points: float, max_points: float) -> str:
    """One line of a score: '45 / 45', or '-4.5' for a line that only takes or sets points."""
    return f"{points:+.6g}" if not max_points and points else score_text(points, max_points)


def shape_text(shape: Sequence[int]) -> str:
    """A tensor's shape: '1 × 32 × 28 × 28'."""
    return " × ".join(f"{size:,}" for size in shape) if shape else "–"


def markdown_cell(text: str, limit_characters: int = 500) -> str:
    """Text as itself in Markdown, also inside a table: no markup, no HTML, no links, one line."""
    return _MARKDOWN.sub(lambda match: _ENTITIES.get(match[0], "\\" + match[0]), clean(text, limit_characters))


def csv_cell(value: str | float | None) -> str | float | None:
    """A cell that no spreadsheet takes for a formula; numbers stay numbers, absent ones become empty, and yes and no
    are words.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, str):
        return value
    # The quote goes by what the student wrote: cleaning drops a leading tab, and what follows it would run.
    text = clean(value, _CELL_CHARACTERS)
    return f"'{text}" if value.startswith(_FORMULA_STARTS) or text.startswith(_FORMULA_STARTS) else text


def _visible(character: str) -> str:
    match unicodedata.category(character):
        case "Zl" | "Zp":
            return " "
        case "Cc":
            return " " if character.isspace() else ""
        case "Cf":
            return character if character in _KEPT_FORMATS else ""
        case "Cs" | "Co" | "Cn":
            return "\N{REPLACEMENT CHARACTER}"
        case _:
            return character


def first_of(names: Sequence[str], at_most: int) -> str:
    """Join the first names with commas; an ellipsis stands for what is left out."""
    return ", ".join(names[:at_most]) + (", …" if len(names) > at_most else "")


def encoding_of(data: bytes) -> str | None:
    """What text that is not UTF-8 seems to be: `UTF-16`, `Big5`, or None where nothing speaks for either.

    Big5 is believed where everything decodes and Chinese characters stand side by side, as accented letters of Western
    encodings do not.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or (len(data) > 3 and data.count(0) * 3 > len(data)):
        return "UTF-16"
    try:
        text = data.decode("cp950")
    except UnicodeDecodeError:
        return None
    return "Big5" if _CHINESE.search(text) and not _UNUSUAL.search(text) else None
