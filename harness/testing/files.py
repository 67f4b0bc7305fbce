"""Write the tiny assignment and a hand-in for it; without torch."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from harness.testing import CLASSES, SIZE

IMAGES = 40

_ASSIGNMENT = f"""\
id = "tiny"
title = "Tiny"

[submission]
entry_points = ["StudentNet"]
input_sizes = [{SIZE}]

[data.test]
id = "noise"
dataset = "idx"
path = "data"
stand_in = true

[images]
classes = {CLASSES}
resize = "none"
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]

[[ranking]]
metric = "accuracy"
higher_is_better = true
"""
_SOURCE = f"""\
from torch import nn


class StudentNet(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, {CLASSES}))
"""


def write_assignment(folder: Path, evaluators: Mapping[str, Mapping[str, Any]]) -> Path:
    """See `harness.testing.tiny_assignment`; it ranks by accuracy, which is measured in any case."""
    write_images(folder / "data")
    used = {"accuracy": {}, **evaluators}
    tables = "".join(f"\n[evaluators.{name}]\n{_keys(table)}" for name, table in used.items())
    path = folder / "tiny.toml"
    path.write_text(_ASSIGNMENT + tables, encoding="utf-8")
    return path


def write_hand_in(folder: Path) -> Path:
    """See `harness.testing.tiny_hand_in`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.py").write_text(_SOURCE, encoding="utf-8")
    drawn = np.random.default_rng(0)
    shapes = {"0.weight": (8, 3, 3, 3), "0.bias": (8,), "1.weight": (8,), "1.bias": (8,), "1.running_mean": (8,)}
    shapes |= {"1.running_var": (8,), "4.weight": (CLASSES, 288), "4.bias": (CLASSES,)}
    tensors = {name: drawn.uniform(0.1, 1, shape).astype(np.float32) for name, shape in shapes.items()}
    save_file({**tensors, "1.num_batches_tracked": np.array(0)}, folder / "weights.safetensors")
    return folder


def write_images(folder: Path) -> None:
    """Random images as a test set in MNIST's format (http://yann.lecun.com/exdb/mnist)."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(("test-images-idx3-ubyte", "test-labels-idx1-ubyte"), noise(), strict=True):
        head = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
        (folder / name).write_bytes(head + array.tobytes())


def noise() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pixels [N, S, S] and classes [N], always the same."""
    drawn = np.random.default_rng(0)
    return drawn.integers(0, 256, (IMAGES, SIZE, SIZE), dtype=np.uint8), drawn.integers(
        0, CLASSES, IMAGES, dtype=np.uint8
    )


def _keys(table: Mapping[str, Any]) -> str:
    # What JSON and TOML write alike: numbers, texts, true and false, arrays of them.
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())
