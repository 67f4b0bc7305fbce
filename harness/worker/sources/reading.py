"""Read all sources of a submission together: files that were handed in, and those that notebooks' cells would write."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from harness.worker.sources.magics import run_path
from harness.worker.sources.notebooks import Unreadable, Written, notebook, script
from harness.worker.sources.slices import leaves
from harness.worker.sources.text import Chunk, SourceText, decoded, parsed

_SIZE_LIMIT_BYTES = 16 << 20
"""Of sources; what cells printed does not count."""
_FILE_LIMIT_BYTES = 1 << 30


def read_sources(folder: Path, paths: Sequence[str]) -> list[SourceText]:
    """The sources at `paths`, then the files that `%%writefile` cells would write."""
    texts: dict[str, SourceText] = {}
    written: list[Written] = []
    for path in dict.fromkeys(paths):
        texts[path], cells = _read(folder, path)
        written += cells
    handed_in = list(texts)
    by_path: dict[str, list[Written]] = {}
    for each in written:
        by_path.setdefault(each.path, []).append(each)
    for path, cells in by_path.items():
        text, counting, note = _together(path, cells)
        own = next((name for name in handed_in if _same_file(name, cells[-1])), None)
        if own is None:
            texts[path] = SourceText(path, (parsed(path, text),), note)
        elif _differ(texts[own], text, adds=cells[0].appends):
            said = f"{own}: the file that was handed in counts, not what {_listed(counting)} would write there"
            texts[own] = replace(texts[own], notes=(*texts[own].notes, said))
    return [_without_absent_runs(each, list(texts)) for each in texts.values()]


def _read(folder: Path, path: str) -> tuple[SourceText, list[Written]]:
    file, is_notebook = folder / path, path.lower().endswith(".ipynb")
    limit = _FILE_LIMIT_BYTES if is_notebook else _SIZE_LIMIT_BYTES
    try:
        if file.stat().st_size > limit:
            return _failed(path, f"{path} is larger than {limit:,} bytes", "hand in the code alone, data beside it")
        text = decoded(file.read_bytes())
        return notebook(path, text, _SIZE_LIMIT_BYTES) if is_notebook else script(path, text)
    except OSError as error:
        return _failed(path, f"{path} cannot be read: {error.strerror}", "hand it in again")
    except Unreadable as error:
        return _failed(path, error.reason, error.hint)


def _failed(path: str, reason: str, hint: str) -> tuple[SourceText, list[Written]]:
    return SourceText(path, (Chunk(path, "", (), reason, hint),)), []


def _together(path: str, cells: Sequence[Written]) -> tuple[str, list[str], tuple[str, ...]]:
    """What the file holds after all cells ran, which of them that is from, and a note where one was overwritten."""
    text, counting, lost = "", list[str](), list[str]()
    for each in cells:
        body = each.text if each.text.endswith("\n") else f"{each.text}\n"
        if each.appends:
            text, counting = text + body, [*counting, each.label]
        else:
            lost += counting if text and text != body else []
            text, counting = body, [each.label]
    note = f"{path} is what {_listed(counting)} wrote last; {_listed(lost)} wrote it before, and it was overwritten"
    return text, counting, (note,) if lost else ()


def _listed(labels: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(labels))


def _same_file(handed_in: str, cell: Written) -> bool:
    """Whether a file is the one that a cell names; of absolute paths, as far as the shorter one goes."""
    own = PurePosixPath(handed_in).parts
    target = cell.whole.parts if cell.whole.is_absolute() else PurePosixPath(cell.path).parts
    shorter = min(len(own), len(target)) if cell.whole.is_absolute() else len(own)
    return own == target or own[-shorter:] == target[-shorter:]


def _differ(source: SourceText, text: str, *, adds: bool) -> bool:
    """Whether the file holds something else; where cells only add to it, whether what they add is missing."""
    own, cells = _bare("\n".join(each.text for each in source.chunks)), _bare(text)
    return cells not in own if adds else cells != own


def _bare(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().split("\n"))


def _without_absent_runs(source: SourceText, paths: Sequence[str]) -> SourceText:
    """A `%run` of a file that is not there brings nothing; said so."""
    there = {PurePosixPath(each).stem.replace(".", "_") for each in paths}
    missing = []
    for chunk in source.chunks:
        for each in leaves(chunk.body):
            path = run_path(each)
            module = each.module if isinstance(each, ast.ImportFrom) else None
            if path is not None and (module or "").rpartition(".")[2] not in there:
                missing.append(f"{chunk.label} line {each.lineno}: %run {path}: that file was not handed in")
    return replace(source, notes=(*source.notes, *missing)) if missing else source
