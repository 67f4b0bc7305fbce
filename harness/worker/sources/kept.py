"""Take the text of a hand-in's sources, to be kept for comparisons with the class. Nothing is parsed as Python here."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.worker.sources.notebooks import Unreadable, code_cells
from harness.worker.sources.text import decoded

MOST_CHARACTERS = 250_000
"""Of one hand-in's sources together: seven thousand lines. What goes beyond is left out."""
_FILE_LIMIT_BYTES = 64 << 20
"""Of one file; notebooks hold what their cells printed."""


def source_texts(folder: Path, paths: Iterable[Path]) -> dict[str, str]:
    """The text of sources by file, or by file and cell as tracebacks call them; what cannot be read is not there.

    Args:
        paths: relative to `folder`; notebooks give their code cells.
    """
    texts: dict[str, str] = {}
    left = MOST_CHARACTERS
    for path in paths:
        for label, text in _texts(folder, path):
            # A notebook can hold lone surrogates, which are no Unicode.
            texts[label] = text[:left].encode("utf-8", "replace").decode()
            left -= len(texts[label])
            if left <= 0:
                return texts
    return texts


def _texts(folder: Path, path: Path) -> list[tuple[str, str]]:
    name = path.as_posix()
    try:
        if (folder / path).stat().st_size > _FILE_LIMIT_BYTES:
            return []
        text = decoded((folder / path).read_bytes())
        return code_cells(name, text) if name.lower().endswith(".ipynb") else [(name, text)]
    except (OSError, Unreadable, MemoryError, RecursionError):
        return []
