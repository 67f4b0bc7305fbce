"""Messy hand-ins for a tiny assignment, one trap each, with what must come of it."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from builders import CLASSES, SIZE, limits, noise, write_assignment, write_idx
from safetensors.torch import save as save_safetensors
from torch import nn

IMAGES = 60
PARAMETERS = 192 * CLASSES + CLASSES
SUBMISSION = {
    "entry_points": ["StudentNet", "get_student_model"],
    "input_sizes": [SIZE],
    "predictions": True,
}

HEAD = "import torch\nimport torch.nn as nn\n"
NET = """
class StudentNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(192, 4)

    def forward(self, x):
        return self.fc(x.flatten(1))
"""
HONEST = HEAD + NET

Content = str | bytes | Callable[[], bytes]


@dataclass(frozen=True)
class Case:
    """A hand-in and its outcome.

    Attributes:
        files: path -> content.
        words: a phrase of the reason, the hint, a note or a check.
        checks: name -> verdict.
        same: whether the predictions are those of the reference network.
        loose: the files lie among the class's folders, not in one of their own.
    """

    files: Mapping[str, Content]
    words: str = ""
    status: str = "graded"
    checks: Mapping[str, str] = field(default_factory=dict)
    same: bool = True
    loose: bool = False


def write_messy_assignment(folder: Path, **changed: Any) -> Path:
    """The assignment, with these tables in the place of its own."""
    write_idx(folder / "data", *images())
    tables = {
        "id": "messy",
        "title": "Messy hand-ins",
        "submission": SUBMISSION,
        "limits": limits(90),
        "evaluators": {
            "parameter_limit": {"limit": 1000},
            "accuracy": {},
            "model_size": {"limit_bytes": 20_000},
            "claims": {},
        },
        "rubric": {
            "gates": ["parameter_limit"],
            "points": [{"name": "size", "check": "weights_size", "points": 1}],
        },
    }
    return write_assignment(folder, **{**tables, **changed})


def write_class(folder: Path) -> None:
    for name, case in CASES.items():
        target = folder if case.loose else folder / name
        for file, content in case.files.items():
            path = target / file
            path.parent.mkdir(parents=True, exist_ok=True)
            data = content() if callable(content) else content
            path.write_bytes(data.encode() if isinstance(data, str) else data)


def images() -> tuple[Any, Any]:
    return noise(IMAGES)


def reference() -> dict[str, Any]:
    """The weights of every honest hand-in, as NumPy arrays."""
    generator = np.random.default_rng(1)
    return {
        "fc.weight": generator.normal(size=(CLASSES, 192)).astype(np.float32),
        "fc.bias": generator.normal(size=CLASSES).astype(np.float32),
    }


def predicted() -> Any:
    """What they predict: computed without torch."""
    pixels, _ = images()
    grey = ((pixels.astype(np.float64) / 255 - 0.5) / 0.5).reshape(IMAGES, 64)
    weights = reference()
    return (np.tile(grey, 3) @ weights["fc.weight"].T.astype(np.float64) + weights["fc.bias"]).argmax(1)


def state(prefix: str = "", dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    return {prefix + name: torch.from_numpy(value).to(dtype) for name, value in reference().items()}


def saved(content: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def weights() -> bytes:
    return saved(state())


def saved_on_cuda() -> bytes:
    """What torch writes for tensors on a GPU differs in this tag only."""
    tagger = torch.serialization.location_tag
    torch.serialization.location_tag = lambda _: "cuda:0"
    try:
        return saved(state())
    finally:
        torch.serialization.location_tag = tagger


def checkpoint() -> bytes:
    model = nn.Linear(192, 4)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.zeros(1, 192)).sum().backward()
    optimizer.step()
    return saved(
        {"epoch": 7, "best": np.float64(0.5), "optimizer": optimizer.state_dict(), "model_state_dict": state()}
    )


class StudentNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(192, 4)


def whole_module() -> bytes:
    """A pickled module of a class that was defined in `model.py`."""
    import sys
    from types import ModuleType

    module = ModuleType("model")
    module.StudentNet = StudentNet  # type: ignore[attr-defined]
    before, StudentNet.__module__ = StudentNet.__module__, "model"
    sys.modules["model"] = module
    try:
        net = StudentNet()
        net.load_state_dict(state())
        return saved(net)
    finally:
        StudentNet.__module__ = before
        del sys.modules["model"]


def encoded8() -> bytes:
    encoded = {}
    for name, value in reference().items():
        wide = np.float64(value)
        low, high = wide.min(), wide.max()
        encoded[name] = (low, high, np.uint8(np.round((wide - low) / (high - low) * 255)))
    return pickle.dumps(encoded, 3).replace(b"cnumpy._core.", b"cnumpy.core.")


def encoded16() -> bytes:
    return pickle.dumps({name: np.float16(value) for name, value in reference().items()}, 4)


def npz() -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, weights={f"module.{name}": np.float16(value) for name, value in reference().items()})
    return buffer.getvalue()


def notebook(*cells: str) -> str:
    listed = [{"cell_type": "code", "source": each.splitlines(keepends=True)} for each in cells]
    return json.dumps(
        {"nbformat": 4, "metadata": {}, "cells": [{"cell_type": "markdown", "source": ["# HW"]}, *listed]}
    )


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in (("hw/final/model.py", HONEST.encode()), ("hw/final/w.pth", weights())):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def table(header: str = "id,pred", width: int = 1, end: str = "\r\n") -> str:
    rows = [f"{index:0{width}d},{value}" for index, value in enumerate(predicted())]
    return end.join([header, *rows, ""])


def source(text: str, **more: Content) -> dict[str, Content]:
    return {"model.py": text, "weights.pt": weights, **{key.replace("_dot_", "."): each for key, each in more.items()}}


def stored(content: Content, name: str = "weights.pt") -> dict[str, Content]:
    return {"model.py": HONEST, name: content}


def settled(toml: str, files: Mapping[str, Content]) -> dict[str, Content]:
    return {**files, "submission.toml": toml}


DUMP = f"""# -*- coding: utf-8 -*-
!pip install -q torchsummary
%matplotlib inline
get_ipython().system('nvidia-smi')
from google.colab import drive
drive.mount('/content/drive')
{HONEST}
net = StudentNet().cuda()
files = !ls
for epoch in range(300):
    train(net, epoch)
torch.save(net.state_dict(), '/content/drive/w.pt')
"""
OTHER = NET.replace("return self.fc", "return -self.fc")
PREDICTED: Any = {"parameter_limit": "could_not_check", "weights_size": "could_not_check"}
REFUSED: Any = {"status": "rejected", "same": False}

CASES: dict[str, Case] = {
    # Sources.
    "notebook-dump": Case(source(DUMP), "left out, not needed"),
    "training-at-module-level": Case(source(HONEST + "data = open('/no/such/data').read()\nraise SystemExit(3)\n")),
    "main-guard": Case(source(HEAD + "if __name__ == '__main__':\n" + NET.replace("\n", "\n    ") + "\n    boom()\n")),
    "defined-twice": Case(source(HEAD + OTHER + NET), "StudentNet is defined 2 times (model.py line 4 and model.py line 12)"),
    "args-global": Case(
        source(
            HEAD + "import argparse\np = argparse.ArgumentParser()\np.add_argument('--classes', type=int, default=4)\n"
            "args = p.parse_args()\n" + NET.replace("192, 4", "192, args.classes")
        )
    ),
    "missing-optional-import": Case(source("import wandb\nfrom apex import amp\nwandb.init()\n" + HONEST)),
    "relative-imports": Case(
        {
            "net/__init__.py": "from .model import StudentNet\n",
            "net/model.py": HEAD + "from . import parts\nfrom .parts import OUT\n" + NET.replace("192, 4", "parts.IN, OUT"),
            "net/parts.py": "IN, OUT = 192, 4\n",
            "w.pt": weights,
        }
    ),
    "tabs-bom-crlf": Case(
        source("\ufeff" + HONEST.replace("    ", "\t").replace("\n", "\r\n"))
    ),
    "notebook": Case({"HW2 final.ipynb": notebook("!nvidia-smi", HEAD, "%%time\n" + NET, "train()"), "w.pt": weights}),
    "broken-notebook": Case({"hw.ipynb": notebook(HONEST)[:-40], "w.pt": weights}, "hw.ipynb", **REFUSED),
    "syntax-error": Case(source(HONEST.replace("self.fc(x", "self.fc((x")), "model.py line 10: '(' was never closed: `return self.fc((x.flatten(1))`", **REFUSED),
    "no-source": Case({"weights.pt": weights, "report.pdf": b"%PDF"}, "there is no .py or .ipynb file", **REFUSED),
    "indented-with-both": Case(
        source(HONEST.replace("        self.fc", "\tself.fc", 1)), "inconsistent use of tabs", **REFUSED
    ),
    # Models.
    "factory": Case(source(HONEST.replace("StudentNet", "Net") + "\ndef get_student_model():\n    return Net()\n")),
    "arguments-in-toml": Case(
        settled("model_arguments = { width = 4 }", source(HEAD + NET.replace("(self):", "(self, width):", 1).replace("192, 4", "192, width")))
    ),
    "arguments-missing": Case(
        source(HEAD + NET.replace("(self):", "(self, width):", 1)), "model_arguments = {", **REFUSED
    ),
    "other-name": Case(source(HONEST.replace("StudentNet", "MyNet")), 'entry_point = "MyNet"', **REFUSED),
    "other-name-settled": Case(settled('entry_point = "MyNet"', source(HONEST.replace("StudentNet", "MyNet")))),
    "tuple-forward": Case(source(HONEST.replace("return self.fc(x.flatten(1))", "return x, self.fc(x.flatten(1))")), "forward returned a tuple"),
    "dict-forward": Case(source(HONEST.replace("return self.fc(x.flatten(1))", "return {'logits': self.fc(x.flatten(1))}")), "forward returned a dict"),
    "cuda-in-forward": Case(source(HONEST.replace("return self", "x = x.cuda()\n        return self"))),
    "wrong-logits": Case(
        {"model.py": HONEST.replace("192, 4", "192, 5"), "w.pt": lambda: saved({"fc.weight": torch.ones(5, 192), "fc.bias": torch.ones(5)})},
        "the last layer must give 4 numbers per image", **REFUSED,
    ),
    "several-models": Case(source(HONEST, old_dot_py=HEAD + OTHER), 'entry_point = "model.py:StudentNet" or entry_point = "old.py:StudentNet"', **REFUSED),
    "several-models-settled": Case(settled('entry_point = "model.py:StudentNet"', source(HONEST, old_dot_py=HEAD + OTHER))),
    "the-same-model-twice": Case(source(HONEST, copy_dot_py=HEAD + "# a copy\n" + NET)),
    # Weights.
    "saved-on-cuda": Case(stored(saved_on_cuda)),
    "data-parallel": Case(stored(lambda: saved(state("module."))), "names in the weights file carry 'module.'"),
    "half-precision": Case(stored(lambda: saved(state(dtype=torch.float16)))),
    "whole-module": Case(stored(whole_module, "best.ckpt")),
    "training-checkpoint": Case(stored(checkpoint), "'model_state_dict'"),
    "legacy-container-odd-name": Case(stored(lambda: saved(state(), _use_new_zipfile_serialization=False), "final.bin.txt")),
    "safetensors": Case(stored(lambda: save_safetensors(state()), "model.data")),
    "hw7-8-bit": Case(stored(encoded8, "8_bit_model.pkl"), "HW7 pickle, 8-bit"),
    "hw7-16-bit": Case(stored(encoded16, "16_bit_model.pkl"), "HW7 pickle, 16-bit"),
    "npz-of-a-dict": Case(stored(npz, "weights.npz")),
    "several-weights": Case(
        stored(weights) | {"epoch_9.pt": lambda: saved(state())},
        'write one line into submission.toml: weights = "epoch_9.pt" or weights = "weights.pt"', **REFUSED,
    ),
    "several-weights-settled": Case(settled('weights = "weights.pt"', stored(weights) | {"epoch_9.pt": lambda: saved({"a": torch.ones(1)})})),
    "other-width": Case(stored(lambda: saved({"fc.weight": torch.ones(8, 192), "fc.bias": torch.ones(8)})), "same layers, other widths", **REFUSED),
    "another-class": Case(stored(lambda: saved({"conv.weight": torch.ones(8, 3, 3, 3)})), "fc.weight [4, 192] is missing from the file", **REFUSED),
    "no-weights": Case({"model.py": HONEST}, "there is no weights file", **REFUSED),
    "git-lfs-pointer": Case(
        stored("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"), "weights.pt is a Git LFS pointer", **REFUSED
    ),
    "torn-weights": Case(stored(lambda: weights()[:-300]), "weights.pt is damaged: its end is missing", **REFUSED),
    "web-page-as-weights": Case(stored("<!DOCTYPE html><title>Google Drive"), "weights.pt is a web page", **REFUSED),
    "empty-weights": Case(stored(b"", "w.pth"), "w.pth is empty", **REFUSED),
    "unknown-weights": Case(stored(b"ONNX\0\1\2", "w.bin"), "w.bin is not a weights file of any known format", **REFUSED),
    "not-a-number": Case(stored(lambda: saved(state() | {"fc.bias": torch.tensor([0, 0, 0, float("nan")])})), "NaN", **REFUSED),
    "over-the-limit": Case(
        {"model.py": HONEST.replace("nn.Linear(192, 4)", "nn.Sequential(nn.Linear(192, 6), nn.Linear(6, 4))"),
         "w.pt": lambda: saved({"fc.0.weight": torch.zeros(6, 192), "fc.0.bias": torch.zeros(6), "fc.1.weight": torch.zeros(4, 6), "fc.1.bias": torch.zeros(4)})},
        "1,186 parameters, over the limit of 1,000", checks={"parameter_limit": "failed"}, same=False,
    ),
    # submission.toml.
    "claims-hold": Case(settled(f"claims = {{ parameters = {PARAMETERS} }}", stored(weights)), "as claimed: parameters", checks={"claims": "passed"}),
    "claims-too-good": Case(settled("[claims]\nparameters = 300\n", stored(weights)), "parameters: claimed 300, measured 772", checks={"claims": "failed"}),
    "claims-a-curve": Case(
        settled("[claims.curves]\npruning = [[772, 0.9], [100, 0.5]]\n", stored(weights)), "not measured here: the curve pruning", checks={"claims": "could_not_check"},
    ),
    "misspelt-toml": Case(settled('wieghts = "weights.pt"', stored(weights)), "did you mean 'weights'?", **REFUSED),
    "toml-names-a-missing-file": Case(settled('weights = "weigths.pt"', stored(weights)), "did you mean 'weights.pt'?", **REFUSED),
    # Archives and folders.
    "zip-beside-report": Case({"hw2_code.zip": lambda: zipped({"hw/model.py": HONEST, "__MACOSX/._model.py": b"\0"}), "best.pth": weights, "report.pdf": b"%PDF"}),
    "tar-in-folders": Case({"tar-in-folders.tar.gz": tarred}, loose=True),
    "noise": Case(source(HONEST) | {".DS_Store": b"x", "__MACOSX/._model.py": b"\0", ".git/config": "x", "__pycache__/model.cpython-311.pyc": b"x"}),
    "lone-file": Case({"lone-file.py": HONEST, "lone-file.pth": weights}, loose=True),
    "rar": Case({"rar.rar": b"Rar!\x1a\x07\x00"}, "hand in a .zip or .tar.gz", loose=True, **REFUSED),
    "torn-zip": Case({"torn-zip.zip": lambda: zipped({"model.py": HONEST})[:-30]}, "damaged", loose=True, **REFUSED),
    "empty": Case({".DS_Store": b"x"}, "the submission is empty", **REFUSED),
    "only-a-report": Case({"report.pdf": b"%PDF"}, "there is no", **REFUSED),
    # Predictions alone.
    "predictions": Case({"pred.csv": lambda: table().encode()}, "only predictions were handed in", checks=PREDICTED),
    "predictions-padded": Case({"x/Result.CSV": ("\ufeff" + table('"Id","Category"', 4, "\n")).encode}, checks=PREDICTED),
    "predictions-short": Case({"pred.csv": lambda: "\n".join(table(end="\n").splitlines()[:-2]).encode()}, "58 rows for 60 images; 2 ids are missing: 58, 59", **REFUSED),
    "predictions-wrong-class": Case({"pred.csv": lambda: table().replace("7,", "7,9", 1).encode()}, "pred.csv: 1 mistake", **REFUSED),
    "predictions-with-index": Case({"pred.csv": ",id,pred\n0,0,1\n"}, "index=False", **REFUSED),
}  # fmt: skip
