"""What a backend is known not to stop, and why. A test fails when an entry is no longer true, so the table shrinks."""

from __future__ import annotations

from collections.abc import Mapping

KNOWN_GAPS: Mapping[str, Mapping[str, str]] = {
    "landlock": {
        "stat_outside": "Landlock has no rule for stat, and every path a program opens goes through the same calls",
    },
}
