"""Bulk downloads of learning platforms, made up."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

WEIGHTS = pickle.dumps({"a": np.float64(1)})
SOURCE = b"class StudentNet: ..."
METADATA = """---
submission_31:
  :submitters:
  - :name: Jane Doe
    :sid: '1001'
    :email: jane@example.edu
  :created_at: 2026-03-01 12:34:56.789012000 Z
  :score: 1.0
  :status: processed
  :results: !ruby/object:Results
    tests: []
submission_32:
  :submitters:
  - :name: 王小明
    :sid:
    :email: wang@example.edu
  - :name: Bob Example
    :sid: 1003
    :email: bob@example.edu
  :created_at: !ruby/object:ActiveSupport::TimeWithZone
    utc: 2026-03-02 00:00:00 Z
submission_33:
  :submitters:
  - :name: Eve
    :sid: ''
    :email: eve@example.edu
  :created_at: 2026-03-03 08:00:00 +08:00
"""


def inner_zip(path: Path) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hw/model.py", SOURCE)
        archive.writestr("hw/weights.pt", WEIGHTS)
    return path.read_bytes()


def download(path: Path, files: Mapping[str, bytes | None], *, packed: bool) -> Path:
    """The files as a folder, or as the .zip that a browser saves."""
    path.parent.mkdir(parents=True, exist_ok=True)
    inner = inner_zip(path.parent / "inner.zip.tmp")
    filled = {name: inner if content is None else content for name, content in files.items()}
    if packed:
        target = path.with_suffix(".zip")
        with zipfile.ZipFile(target, "w") as archive:
            for name, content in filled.items():
                archive.writestr(name, content)
        return target
    for name, content in filled.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path
