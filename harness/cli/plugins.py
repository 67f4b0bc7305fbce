"""`harness plugins`: list what is installed, where it comes from, and what is broken."""

from __future__ import annotations

import inspect

import click


@click.command()
def command() -> None:
    """List the installed plugins.

    One that is broken is left out, with the reason below the list; what does not need it goes on.
    """
    from harness.cli.options import installed_plugins
    from harness.plugins.kinds import KINDS
    from harness.terminal.console import console, safe
    from harness.terminal.fitting import TurningTable

    installed = installed_plugins(warn=False)
    rows = []
    for kind in KINDS:
        for name, item in getattr(installed, kind.plural).items():
            origin = installed.origins[kind.hook, name]
            module = installed.modules.get(origin) or origin
            rows.append((kind.words, safe(name), safe(module), safe(_first_line(item))))
    paper = console()
    paper.print(TurningTable(("kind", "name", "plugin", "what it does"), rows, heading=2, prose=True))
    for fault in installed.faults:
        paper.print()
        paper.print(safe(f"Left out: {fault}", limit_characters=2000))


def _first_line(item: object) -> str:
    return (inspect.getdoc(type(item)) or "").partition("\n")[0]
