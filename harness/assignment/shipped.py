"""Locate the files that ship with the harness: assignments, reference values, embedded data."""

from __future__ import annotations

from pathlib import Path


def fixtures() -> Path:
    """The folder of shipped files: the checkout's `fixtures`, or `harness_fixtures` beside the installed package."""
    beside = Path(__file__).resolve().parents[2]
    checkout = beside / "fixtures"
    return checkout if (checkout / "assignments").is_dir() else beside / "harness_fixtures"
