"""`harness doctor`: say what this machine has, and what is missing."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import click

from harness.vocabulary import ExitCode

_PACKAGES = ("torch", "torchvision", "torchinfo", "safetensors", "SQLAlchemy", "pydantic")


@click.command()
def command() -> None:
    """Say what this machine has and what is missing.

    Exits with 1 when a package is missing and with 3 when no sandbox works here.
    """
    from rich.text import Text

    from harness.parallel import usable_cpus
    from harness.sandbox import choose, describe
    from harness.terminal.console import console, plain_grid, safe

    rows = [("python", True, platform.python_version()), *(_package(name) for name in _PACKAGES)]
    rows.append(("usable CPUs", True, str(usable_cpus())))
    grid = plain_grid()
    for name, works, text in [*rows, *((f"sandbox {name}", works, text) for name, works, text in describe())]:
        grid.add_row(Text("✓", "green") if works else Text("✗", "red"), safe(name), safe(text))
    console().print(grid)
    # Raises with the reason, and the exit code, when none works.
    choose("auto")
    raise click.exceptions.Exit(ExitCode.DONE if all(works for _, works, _ in rows) else ExitCode.NOT_PASSED)


def _package(name: str) -> tuple[str, bool, str]:
    try:
        return name, True, version(name)
    except PackageNotFoundError:
        return name, False, f"not installed: pip install {name}"
