"""Where the files that ship with the harness lie: assignments, reference values, embedded data."""

from __future__ import annotations

from pathlib import Path

import harness


def fixtures() -> Path:
    """The folder of shipped files: the checkout's `fixtures`, or `harness_fixtures` beside the installed package."""
    beside = Path(harness.__file__).resolve().parent.parent
    checkout = beside / "fixtures"
    return checkout if (checkout / "assignments").is_dir() else beside / "harness_fixtures"
