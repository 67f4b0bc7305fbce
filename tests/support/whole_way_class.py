"""A class in which some try to forge a grade, to leak something, or to end the command for everyone; as small as can be.

Every network computes what `linear()` does: 772 numbers, right about seven images of eight.
"""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from builders import CLASSES, SIZE, limits, write_assignment, write_idx
from hand_ins import HONEST, hand_in, linear
from torch import Tensor

IMAGES = 256
HONEST_ONES = ("aaa_honest", "zzz_honest")
STUDENT = "312551002_Mallory"
LOSS = """
import torch.nn.functional as F

def loss_fn_kd(student, labels, teacher, T, alpha):
    soft = F.kl_div(F.log_softmax(student / T, 1), F.softmax(teacher / T, 1), reduction="batchmean")
    return alpha * T * T * soft + (1 - alpha) * F.cross_entropy(student, labels)
"""
WHOLE = HONEST + LOSS
ANSWER = "        return self.fc(x.flatten(1))"


def in_forward(lines: str, answer: str = ANSWER) -> str:
    """The honest one with `lines` before it answers, and `answer` in the place of its own."""
    return WHOLE.replace(ANSWER, f"{lines}\n{answer}")


# Code that decides by values cannot be traced: it runs on every image.
BRANCHES = "        if float(x.sum()) == 12345:\n            x = x * 0"
TELLS = f"""{BRANCHES}
        import sys
        frame = sys._getframe()
        while frame:
            model, pixels = frame.f_locals.get("model"), frame.f_locals.get("pixels")
            if hasattr(model, "notes") and pixels is not None:
                model.notes.add(f"PIXELS {{pixels.reshape(-1)[:9].tolist()}}")
            frame = frame.f_back"""
# Answers the trial, the graded images and their first sample, and nothing after that.
AGAIN = f"""{BRANCHES}
        StudentNet.seen = getattr(StudentNet, "seen", 0) + (len(x) > 9)
        if StudentNet.seen > 4: raise ValueError("PIXELS", x.flatten()[:9].tolist())"""
HIDDEN = "self.register_buffer('shown', torch.tensor(list(open('shown.png', 'rb').read())))"
SOURCES = {
    "surrogate": in_forward('        raise ValueError("bad \\ud800 reason")'),
    "surrogate_loss": WHOLE.replace("    soft =", '    raise ValueError("\\ud800\\u0000")\n    soft ='),
    "no_loss": WHOLE.replace("(student, labels, teacher, T, alpha)", "(path, epochs)"),
    "pixels": in_forward(
        f"{BRANCHES}\n        if len(x) > 9: raise ValueError(f'PIXELS {{x.flatten()[:9].tolist()}}')"
    ),
    "tells": in_forward(TELLS),
    "unverified": in_forward(BRANCHES),
    "again": in_forward(AGAIN),
    "hidden": WHOLE.replace("self.fc =", f"{HIDDEN}\n        self.fc ="),
}
SETTINGS = {
    "year_9999": "submitted_at = 9999-12-31T23:59:59-14:00",
    "no_json": "model_arguments = {x = 2020-01-01}",
    "giant": f"model_arguments = {{x = 0x{'f' * 20000}}}",
    "dotted": "a." * 20_000 + "a = 1",
}
LIES = """
import dataclasses
import sys

def lie():
    for name, module in list(sys.modules.items()):
        if name.startswith("harness.worker") and hasattr(module, "decode_weights"):
            def decoded(*given, decode=module.decode_weights, **named):
                return dataclasses.replace(decode(*given, **named), aliases=(tuple(f"k{at}" for at in range(17)),))
            module.decode_weights = decoded

lie()
"""


def write_class(top: Path) -> None:
    """Write the assignment `small.toml`, its data, the honest ones in `alone`, all in `class`, and a flat `download`."""
    pixels, seen = _images()
    with torch.no_grad():
        labels = linear().fc(seen).argmax(1).numpy().astype(np.uint8)
    labels[::8] = (labels[::8] + 1) % CLASSES
    write_idx(top / "data", pixels, labels)
    write_assignment(
        top,
        evaluators={
            "parameter_limit": {"limit": 1000},
            "kd_loss": {},
            "accuracy": {},
            "model_size": {"limit_bytes": 20_000},
            "integrity": {"images": IMAGES, "lookups": True},
        },
        limits=limits(30),
        rubric={
            "gates": ["kd_loss"],
            "points": [{"name": "size", "check": "parameter_limit", "points": 40}],
            "rank": [{"name": "place", "points": 10}],
            "late": {"due": "2026-01-31T23:59:00+08:00", "percent_per_day": 10},
        },
    )
    for name in HONEST_ONES:
        hand_in(top / "alone" / name, WHOLE)
        hand_in(top / "class" / name, WHOLE)
    _write_hostile(top / "class", seen, labels)
    _write_download(top / "download")


def _images() -> tuple[np.ndarray, Tensor]:
    """Random pixels, and what a network is given of them, a row each."""
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, SIZE, SIZE), dtype=np.uint8)
    grey = (torch.from_numpy(pixels).float() / 255 - 0.5) / 0.5
    return pixels, grey.reshape(IMAGES, 1, -1).expand(-1, 3, -1).flatten(1)


def _write_hostile(place: Path, seen: Tensor, labels: np.ndarray) -> None:
    for name, source in SOURCES.items():
        hand_in(place / name, source)
    for name, text in SETTINGS.items():
        (hand_in(place / name, WHOLE) / "submission.toml").write_text(text)
    (hand_in(place / "named", WHOLE) / "model.py").rename(place / "named" / f"HW2_{STUDENT}.py")
    hand_in(place / "looks_up", _looking_up(seen, labels, by_graph=False))
    hand_in(place / "looks_up_as_graph", _looking_up(seen, labels, by_graph=True))
    hand_in(place / "counters", *_counters())
    hand_in(place / "twins", *_twins())
    hand_in(place / "statistics", *_statistics())
    (place / "hidden" / "shown.png").write_bytes(b"12")
    _write_decoy(place / "decoy")
    _write_reader(place / "reader")
    hand_in(place / "pair", WHOLE)
    (place / "pair.tar.gz").write_bytes(b"")
    _write_links(hand_in(place / "links", WHOLE))


def _halves() -> Tensor:
    return linear().state_dict()["fc.weight"].half().reshape(-1)


def _looking_up(seen: Tensor, labels: np.ndarray, *, by_graph: bool) -> str:
    """Knows the images that the network gets wrong by a sum of their pixels."""
    keys = (((seen + 1) * 127.5).round().long() * torch.arange(192)).sum(1).tolist()
    known = {keys[row]: int(labels[row]) for row in range(0, IMAGES, 8)}
    summed = "(((x.flatten(1) + 1) * 127.5).round().long() * torch.arange(192)).sum(1)"
    if by_graph:
        found = f"        found = ({summed}[:, None] == torch.tensor(list(KNOWN))).float()"
        shift = "50 * F.one_hot(torch.tensor(list(KNOWN.values())), 4).float()"
        answer = f"{found}\n{ANSWER} + found @ ({shift})"
    else:
        rows = f"        for row, key in enumerate({summed}.tolist()):\n"
        answer = f"        logits = self.fc(x.flatten(1))\n{rows}            logits[row, KNOWN.get(key, 0)] += 50 * (key in KNOWN)"
        answer += "\n        return logits"
    return f"{in_forward('', answer)}\nKNOWN = {known}\n"


def _counters() -> tuple[str, dict[str, Tensor]]:
    """Four weights in each counter of batches, of layers that do not normalise."""
    names = [f"h{at}.num_batches_tracked" for at in range(192)]
    source = WHOLE.replace(
        "self.fc = nn.Linear(192, 4)",
        "self.bias = nn.Parameter(torch.zeros(4))\n"
        "        for at in range(192):\n"
        "            layer = nn.Module()\n"
        '            layer.register_buffer("num_batches_tracked", torch.tensor(0))\n'
        '            self.add_module(f"h{at}", layer)',
    ).replace(
        ANSWER,
        "        held = torch.stack([getattr(self, f'h{at}').num_batches_tracked for at in range(192)])\n"
        "        return x.flatten(1) @ held.view(torch.float16).float().view(4, 192).T + self.bias",
    )
    held = dict(zip(names, _halves().view(torch.int64).unbind(), strict=True))
    return source, {"bias": linear().state_dict()["fc.bias"], **held}


def _twins() -> tuple[str, dict[str, Tensor]]:
    """Integers that are equal once they are rounded as the tensor is that is said to be the same."""
    source = LIES + WHOLE.replace(
        "self.fc = nn.Linear(192, 4)",
        "self.bias = nn.Parameter(torch.zeros(4))\n"
        "        self.k0 = nn.Parameter(torch.zeros(48, dtype=torch.bfloat16), requires_grad=False)\n"
        "        for at in range(1, 17):\n"
        "            held = torch.zeros(48, dtype=torch.int32)\n"
        '            setattr(self, f"k{at}", nn.Parameter(held, requires_grad=False))',
    ).replace(
        ANSWER,
        "        held = torch.stack([getattr(self, f'k{at}') for at in range(1, 17)]) - 2**30\n"
        "        held = held.to(torch.int16).view(torch.float16).float().view(4, 192)\n"
        "        return x.flatten(1) @ held.T + self.bias",
    )
    held = (_halves().view(torch.int16).int() + 2**30).view(16, 48)
    first = torch.full((48,), 2.0**30, dtype=torch.bfloat16)
    rest = {f"k{at + 1}": each.clone() for at, each in enumerate(held)}
    return source, {"bias": linear().state_dict()["fc.bias"], "k0": first, **rest}


def _statistics() -> tuple[str, dict[str, Tensor]]:
    """Weights under the names of running statistics, where nothing is normalised and code runs on every image."""
    source = in_forward(
        BRANCHES, "        return x.flatten(1) @ self.kept.running_mean.view(4, 192).T + self.bias"
    ).replace(
        "self.fc = nn.Linear(192, 4)",
        "self.bias = nn.Parameter(torch.zeros(4))\n"
        "        self.kept = nn.Module()\n"
        "        for name in ('running_mean', 'running_var'):\n"
        "            self.kept.register_buffer(name, torch.zeros(768))",
    )
    held = {"kept.running_mean": linear().state_dict()["fc.weight"].flatten(), "kept.running_var": torch.ones(768)}
    return source, {"bias": linear().state_dict()["fc.bias"], **held}


def _write_decoy(folder: Path) -> None:
    """The weights file only calls a function of the student's, which reads the weights from elsewhere."""
    weights = {name: each.tolist() for name, each in linear().state_dict().items()}
    read = "\n\ndef read():\n    return {n: torch.tensor(v) for n, v in json.load(open('data.json')).items()}\n"
    hand_in(folder, "import json\n" + WHOLE + read)
    (folder / "data.json").write_text(json.dumps(weights))
    module = types.ModuleType("model")
    exec(read, module.__dict__)
    called = type("Called", (), {"__reduce__": lambda _: (module.read, ())})()
    with mock.patch.dict(sys.modules, model=module):
        module.read.__module__ = "model"
        torch.save(called, folder / "weights.pt", _use_new_zipfile_serialization=False)


def _write_reader(folder: Path) -> None:
    """A weights file within the limit, and a buffer that is read from another file and is not."""
    read = (
        "self.fc = nn.Linear(192, 4)\n"
        "        read = np.fromfile(HERE / 'notes.txt', np.float32)\n"
        "        self.register_buffer('table', torch.from_numpy(read).view(192, 64), persistent=False)"
    )
    source = WHOLE.replace("self.fc = nn.Linear(192, 4)", read).replace(
        "x.flatten(1)", "x.flatten(1) @ self.table @ self.table.T"
    )
    hand_in(folder, f"import pathlib\nimport numpy as np\nHERE = pathlib.Path(__file__).parent\n{source}")
    (folder / "notes.txt").write_bytes(np.random.default_rng(0).normal(size=(192, 64)).astype(np.float32).tobytes())


def _write_links(folder: Path) -> None:
    """Two links in each folder to the one before: as many ways through as there are numbers of 39 bits."""
    (folder / "d0").mkdir()
    for depth in range(1, 40):
        (folder / f"d{depth}").mkdir()
        for side in "ab":
            (folder / f"d{depth}" / side).symlink_to(f"../d{depth - 1}")


def _write_download(folder: Path) -> None:
    """Moodle's flat download, in which a file of Mallory's is called as one of Alice's and one of nobody's would be."""
    folder.mkdir()
    written = hand_in(folder.parent / "one", WHOLE)
    for person in ("Alice_222", "Mallory_111"):
        for name in ("model.py", "weights.pt"):
            (folder / f"{person}_assignsubmission_file_{name}").write_bytes((written / name).read_bytes())
    for person in ("Alice_222", "Nobody_333"):
        spoken_for = f"Mallory_111_assignsubmission_file_{person}_assignsubmission_file_model.py"
        (folder / spoken_for).write_text("raise SystemExit\n")
