"""Recognise that ASSIGNMENT and what follows it were given in the other order."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import click

from harness.errors import UsageError

TYPED = "harness.typed"
"""Where a click context keeps the words behind `harness`."""


def refuse_swapped(name: str) -> None:
    """Say how it should be typed, if it is another argument that names an assignment.

    Args:
        name: what was given as ASSIGNMENT.

    Raises:
        UsageError: another argument does and this one does not.
    """
    from harness.assignment.loading import names_an_assignment

    context = click.get_current_context()
    if Path(name).is_file() or names_an_assignment(name):
        return
    for other in filter(names_an_assignment, _others(context)):
        words = list(context.meta.get(TYPED, ()))
        if name in words and other in words:
            here, there = words.index(name), words.index(other)
            words[here], words[there] = other, name
        said = f": {shlex.join(['harness', *words])}" if words else ""
        raise UsageError(f"{name} is not an assignment but {other} is; the assignment comes first{said}")


def _others(context: click.Context) -> Iterator[str]:
    """The values of all arguments but the assignment."""
    for each in context.command.params:
        if isinstance(each, click.Argument) and each.name != "assignment_name":
            given = context.params.get(each.name or "")
            yield from map(str, given if isinstance(given, tuple) else [] if given is None else [given])
