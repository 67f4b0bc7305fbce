"""Turn sources into tokens that stay the same under new names, numbers, texts, comments and layout.

Only functions and classes count, without their docstrings. A name that the sources themselves bind, by assigning,
defining, importing as, or as a parameter, becomes `N`: whoever copies can rename those, but not what a library calls
its layers. Numbers and strings become `0` and `''`.

Python's own tokenizer stops at the first thing it does not know, and knows other things in every version. What students
hand in has magics, broken lines and worse, so this one takes whatever comes, in one pass over the text.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<blank>[ \t\f\r]++|\\\r?\n|\#[^\n]*+)
    |(?P<end>\n)
    |(?P<text>[A-Za-z]{0,2}(?:
        \"""(?:[^"\\]++|\\.|"(?!""))*+(?:\"""|\\?\Z)
        |'''(?:[^'\\]++|\\.|'(?!''))*+(?:'''|\\?\Z)
        |"(?:[^"\\\n]++|\\.)*+"?
        |'(?:[^'\\\n]++|\\.)*+'?
    ))
    |(?P<name>[^\W\d]\w*+)
    |(?P<number>\.?\d[\w.]*+)
    |(?P<sign>(?:\*\*|//|<<|>>|[-+*/%@&|^=<>!:])=|\*\*|//|->|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_HEADS = frozenset({"def", "class", "async", "@"})
_ASSIGNS = frozenset({"=", ":=", "+=", "-=", "*=", "/=", "//=", "%=", "**=", "@=", "&=", "|=", "^=", "<<=", ">>="})
_BINDERS = frozenset({"def", "class", "as", "global", "nonlocal", "lambda"})
_DEPTH = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}
_TEXT = "''"
_TAB = 8


@dataclass(frozen=True, slots=True)
class Definition:
    """A function or class at the top of a file or of a block, with all that is inside."""

    file: str
    tokens: tuple[str, ...]
    lines: tuple[int, ...]
    """The line that each token is on, from 1."""


@dataclass(slots=True)
class _Line:
    """A logical line: it goes on inside brackets and texts."""

    indent: int
    tokens: list[str]
    lines: list[int]


def definitions(sources: Mapping[str, str]) -> list[Definition]:
    """The definitions of one submission, in the order of its files.

    Args:
        sources: by file, or by file and cell, as they were handed in; anything at all.
    """
    files = {file: list(_logical_lines(text)) for file, text in sources.items()}
    bound = {name for lines in files.values() for line in lines for name in _bound(line.tokens)}
    return [
        Definition(
            file,
            tuple("N" if token in bound else token for line in lines for token in line.tokens),
            tuple(number for line in lines for number in line.lines),
        )
        for file, all_lines in files.items()
        for lines in _definitions(all_lines)
    ]


def _logical_lines(text: str) -> Iterator[_Line]:
    """Lines that hold more than comments and lone texts, such as docstrings."""
    number, start, depth, line = 1, 0, 0, _Line(0, [], [])
    for match in _TOKEN.finditer(text):
        kind, token = match.lastgroup, match[0]
        if kind == "end" and depth <= 0:
            yield from [line] if _says_something(line) else []
            depth, line = 0, _Line(0, [], [])
        elif kind in ("text", "name", "number", "sign"):
            if depth > 0 and token in ("def", "class") and not text[start : match.start()].strip():
                yield line  # a bracket was never closed
                depth, line = 0, _Line(0, [], [])
            if not line.tokens:
                line.indent = len(text[start : match.start()].expandtabs(_TAB))
            line.tokens.append({"text": _TEXT, "number": "0"}.get(kind, token))
            line.lines.append(number)
            depth += _DEPTH.get(token, 0)
        if newlines := token.count("\n"):
            number, start = number + newlines, match.end()
    if _says_something(line):
        yield line


def _says_something(line: _Line) -> bool:
    return any(token != _TEXT for token in line.tokens)


def _definitions(lines: Iterable[_Line]) -> Iterator[list[_Line]]:
    """The lines of each definition: from its decorators on, as long as they are indented further."""
    current: list[_Line] = []
    for line in lines:
        decorated = bool(current) and current[-1].tokens[0] == "@" and line.indent == current[0].indent
        if current and (line.indent > current[0].indent or decorated):
            current.append(line)
            continue
        if current:
            yield current
        current = [line] if line.tokens[0] in _HEADS else []
    if current:
        yield current


def _bound(tokens: Sequence[str]) -> Iterator[str]:
    """Names that a logical line binds; at worst some more, which are then told apart less."""
    heads = tokens[0] in _HEADS and "def" in tokens[:2]
    target_end = _first_assignment(tokens) if tokens[0] not in ("import", "from") else 0
    within = ""
    for place, token in enumerate(tokens):
        before = tokens[place - 1] if place else ""
        within = {"for": "for", "in": "", "lambda": "lambda", ":": ""}.get(token, within)
        if not token.isidentifier() or keyword.iskeyword(token):
            continue
        after = tokens[place + 1] if place + 1 < len(tokens) else ""
        parameter = heads and before in ("(", ",", "*", "**")
        if before in _BINDERS or after in _ASSIGNS or parameter or within or place < target_end:
            yield token


def _first_assignment(tokens: Sequence[str]) -> int:
    """Where the targets of an assignment end; 0 where it is none."""
    depth = 0
    for place, token in enumerate(tokens):
        depth += _DEPTH.get(token, 0)
        if token == "=" and depth == 0:  # noqa: S105 - a token of Python
            return place
    return 0
