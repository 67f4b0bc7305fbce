"""Say of a file that is no TOML which line is wrong, what stands there, and what to write instead."""

from __future__ import annotations

import re
import tomllib

from harness.errors import Problem
from harness.text import clean

_PLACE = re.compile(r" \(at line (\d+), column \d+\)$")
_LINE_CHARACTERS = 80
# What people write who know other formats, in the order in which they are looked for.
_CURES = (
    (r"^\s*(//|--|;|/\*)", "comments begin with #"),
    (r"[“”„‘’]", 'write straight quotes, "'),
    (r"=\s*(yes|no|on|off|none|null|True|False|TRUE|FALSE)\b", "write true or false, or leave the line out"),
    (r"=\s*\d{1,3}(,\d{3})+\s*(#.*)?$", "write numbers without commas: 60000 or 60_000"),
    (r'"[^"]*\\[^"]*"', "write / for \\, or put the text between single quotes"),
    (r'=\s*"[^"]*$', 'a text ends on its line, with "'),
    (r"^\s*\[", "each [section] stands once; where several of a kind are allowed, every one begins with [[section]]"),
    (r"^\s*[\w.-]+\s*:", "write = between a key and its value"),
    (r"=\s*[A-Za-z]", 'put texts between quotes: "…"'),
)
_ELSE = 'each key stands once, with = and a value; texts stand between quotes, "…", lists between [ and ]'


def syntax_mistake(text: str, error: tomllib.TOMLDecodeError) -> Problem:
    """The mistake that ended reading a file with this text."""
    message = str(error)
    found = _PLACE.search(message)
    if found is None:  # at the end of the file
        return Problem("", f"not a TOML file: {message}; {_ELSE}")
    number = int(found[1])
    line = text.split("\n")[number - 1].strip()
    cure = next((cure for pattern, cure in _CURES if re.search(pattern, line)), _ELSE)
    said = clean(line, _LINE_CHARACTERS)
    return Problem("", f"not TOML: {said} ({message[: found.start()].lower()}); {cure}", line=number)
