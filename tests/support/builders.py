"""Assignments and data sets on disk, as small as a test can use."""

from __future__ import annotations

import struct
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from harness.assignment.shipped import fixtures

REPOSITORY = Path(__file__).parents[2]
SUBMISSIONS = REPOSITORY / "submissions"
CLASSES, SIZE = 4, 8
"""Of the small assignment: 28x28 would be slow."""


def write_assignment(folder: Path, **tables: Any) -> Path:
    """Write `ID.toml`: the small assignment, with these tables in the place of its own.

    It wants a `StudentNet` for the images in `folder / "data"`, and measures its accuracy.
    """
    document = {**_small(), **tables}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{document['id']}.toml"
    path.write_text(tomli_w.dumps(document), encoding="utf-8")
    return path


def _small() -> dict[str, Any]:
    return {
        "id": "small",
        "title": "Small",
        "submission": {"entry_points": ["StudentNet"], "input_sizes": [SIZE]},
        "data": {"test": {"id": "noise", "dataset": "idx", "path": "data"}},
        "images": {"classes": CLASSES, "resize": "none", "mean": [0.5] * 3, "std": [0.5] * 3},
        "evaluators": {"accuracy": {}},
        "ranking": [{"metric": "accuracy", "higher_is_better": True}],
    }


def shipped_tables(name: str) -> dict[str, Any]:
    """Those of an assignment that comes with the harness, with paths that hold from any folder."""
    path = fixtures() / "assignments" / f"{name}.toml"
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    for data in tables["data"].values():
        data["path"] = (path.parent / data["path"]).resolve().as_posix()
    return tables


def on_fashion() -> dict[str, Any]:
    """Tables for a thousand labelled images of clothes, 28x28 in 10 classes."""
    folder = fixtures() / "data" / "fashion-mnist-train-1000"
    return {
        "submission": {"entry_points": ["StudentNet", "get_student_model"], "input_sizes": [28]},
        "data": {"test": {"id": "some", "dataset": "idx", "path": folder.as_posix()}},
        "images": {"classes": 10, "resize": "none", "mean": [0.5] * 3, "std": [0.5] * 3},
    }


def quick_hw2(folder: Path, **tables: Any) -> Path:
    """Write NYCU's homework for a thousand images instead of ten thousand, and without the probes of integrity."""
    document = shipped_tables("nycu-ds2023-hw2")
    document["data"] = on_fashion()["data"]
    del document["evaluators"]["integrity"]
    more = tables.pop("evaluators", {})
    return write_assignment(folder, **{**document, **tables, "evaluators": {**document["evaluators"], **more}})


def limits(seconds: int, **more: int) -> dict[str, int]:
    """The table `limits` with the same time for everything a worker is asked."""
    stages = ("import_seconds", "build_seconds", "forward_seconds", "request_seconds")
    return {**dict.fromkeys(stages, seconds), **more}


def write_idx(folder: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """Write a test set as the two files of MNIST's format."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "test-images-idx3-ubyte").write_bytes(idx_bytes(images))
    (folder / "test-labels-idx1-ubyte").write_bytes(idx_bytes(labels))


def idx_bytes(array: np.ndarray) -> bytes:
    """From the format's own description: two zeros, type 8, dimensions, big-endian sizes, bytes in C order."""
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def noise(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of random pixels and labels of random classes, always the same."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (count, SIZE, SIZE), dtype=np.uint8)
    return pixels, generator.integers(0, CLASSES, count, dtype=np.uint8)
