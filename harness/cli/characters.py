"""Print characters that a terminal's encoding does not have in words that it has."""

from __future__ import annotations

import codecs
import sys
from io import TextIOWrapper

_NAME = "harness.in_words"
_IN_WORDS = {
    "✓": "ok", "✗": "FAIL", "→": "->", "·": "-", "•": "*", "–": "-", "—": "-", "…": "...", "≈": "~", "×": "x",
    "²": "^2", "≤": "<=", "≥": ">=", "α": "alpha", "‖": "||", "┊": ":", "│": "|", "─": "-", "└": "+", "┤": "+",
}  # fmt: skip


def make_printable() -> None:
    """From now on nothing fails that standard output and standard error cannot encode; for good."""
    codecs.register_error(_NAME, _replaced)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=_NAME)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end]
    return "".join(_IN_WORDS.get(each, "?") for each in text), error.end
