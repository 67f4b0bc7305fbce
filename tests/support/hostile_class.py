"""The class that attacks the sandbox: an assignment with small limits, honest hand-ins, and one hand-in per attack."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from builders import CLASSES, SIZE, limits, write_assignment, write_idx
from hostile_crafted import CRAFTED

HAND_INS = Path(__file__).parents[1] / "hostile" / "hand_ins"
COMMON = HAND_INS.parent / "common" / "attack.py"
OUTLIVES = HAND_INS.parent / "common" / "outlives.py"
VICTIMS = ("outlives_1", "outlives_2")
IMAGES = 64
HONEST_ACCURACY = 56 / 64
HONEST = ("aaa_honest", "i_honest", "m_honest", "zzz_honest")
LIMIT_SECONDS, MEMORY_BYTES = 5, 640 << 20
_HEADER = re.compile(r"^# (assignment|expect|reason|check|accuracy|silent|weights|everywhere): (.+)$", re.MULTILINE)
_EVALUATORS: Mapping[str, Mapping[str, Any]] = {
    "main": {
        "accuracy": {},
        "parameter_limit": {"limit": 1000, "count": "torchinfo"},
        "integrity": {"images": IMAGES},
    },
    "kd": {"accuracy": {}, "kd_loss": {}},
    "victims": {"accuracy": {}},
}


@dataclass(frozen=True)
class Attack:
    """What one hostile hand-in must come to.

    Attributes:
        statuses: one of them, usually a single one.
        reason: a regular expression that the result's reason must match.
        checks: (name, verdicts it may have).
        accuracy: "honest", "any", or the most it may reach.
        says_so: whether the hand-in prints "attacked" once its attack was carried out.
        more_weights: (name, elements) of a tensor that its weights hold beside the honest ones.
        everywhere: whether its outcome is the level's or the user's doing, so that every combination must show it.
    """

    name: str
    assignment: str
    statuses: tuple[str, ...]
    reason: str | None
    checks: tuple[tuple[str, tuple[str, ...]], ...]
    accuracy: str | float
    says_so: bool
    more_weights: tuple[str, int] | None = None
    everywhere: bool = False


def attacks() -> list[Attack]:
    """Every attack there is, by the headers of the files in hand_ins and by the table of crafted hand-ins."""
    written = [_of_headers(path) for path in sorted(HAND_INS.glob("*.py"))]
    crafted = [
        Attack(name, "main", (each.status,), each.reason, (), "honest", says_so=False) for name, each in CRAFTED.items()
    ]
    return written + crafted


def chosen() -> list[Attack]:
    """A quarter: those that differ by level or user, and every seventh of the others; always the same, from all over."""
    every = attacks()
    others = [each for each in every if not each.everywhere]
    return [each for each in every if each.everywhere or each in others[::7]]


def _of_headers(path: Path) -> Attack:
    found: dict[str, list[str]] = {}
    text = path.read_text()
    for key, value in _HEADER.findall(text):
        found.setdefault(key, []).append(value)
    checks = [value.split() for value in found.get("check", [])]
    accuracy = found.get("accuracy", ["honest"])[0]
    return Attack(
        name=path.stem,
        assignment=found.get("assignment", ["main"])[0],
        statuses=tuple(found["expect"][0].split("|")),
        reason=found.get("reason", [None])[0],
        checks=tuple((name, tuple(verdicts.split("|"))) for name, verdicts in checks),
        accuracy=float(accuracy.removeprefix("at most ")) if accuracy.startswith("at most") else accuracy,
        says_so="silent" not in found and ("(Attack)" in text or 'say("attacked")' in text),
        more_weights=_named_size(found["weights"][0]) if "weights" in found else None,
        everywhere="everywhere" in found,
    )


def _named_size(text: str) -> tuple[str, int]:
    name, size = text.split()
    return name, int(size)


def write_class(folder: Path, targets: Mapping[str, Any], hostile: Sequence[Attack]) -> dict[str, Path]:
    """Write data, assignments and hand-ins below `folder`; the assignment files by name.

    Args:
        targets: what attacks aim at, by the name of a constant.
        hostile: those that are handed in.
    """
    state = _write_data(folder / "data")
    labels = np.frombuffer((folder / "data" / "test-labels-idx1-ubyte").read_bytes()[8:], np.uint8)
    constants = "".join(f"{name} = {value!r}\n" for name, value in {**targets, "LABELS": labels.tolist()}.items())
    files = {"attack.py": COMMON.read_text(), "targets.py": constants}
    for each in hostile:
        if each.name not in CRAFTED:
            place = folder / "class" / each.assignment / each.name
            more = {each.more_weights[0]: torch.zeros(each.more_weights[1])} if each.more_weights else {}
            _hand_in(place, {**files, "model.py": (HAND_INS / f"{each.name}.py").read_text()}, {**state, **more})
    honest = {**files, "model.py": "from attack import Honest\n\n\nclass StudentNet(Honest):\n    pass\n"}
    for name in (*HONEST, "neighbour"):
        _hand_in(folder / "class" / "main" / name, honest, state)
    _hand_in(folder / "class" / "kd" / "kd_honest", {**files, "model.py": _HONEST_KD}, state)
    for each in hostile:
        if each.name in CRAFTED:
            CRAFTED[each.name].make(folder / "class" / "main" / each.name, honest, state, targets["OUTSIDE"])
    return {name: _write_assignment(folder, name) for name in ("main", "kd")}


def write_victims(folder: Path) -> None:
    """A class of hand-ins that try to outlive the grader, and their assignment, whose limits do not end them."""
    state = _write_data(folder / "data")
    for name in VICTIMS:
        _hand_in(
            folder / "class" / "victims" / name,
            {"attack.py": COMMON.read_text(), "model.py": OUTLIVES.read_text()},
            state,
        )
    _write_assignment(folder, "victims", seconds=120)


_HONEST_KD = """
import torch.nn.functional as F
from attack import Honest


class StudentNet(Honest):
    pass


def loss_fn_kd(outputs, labels, teacher_outputs, T, alpha):
    soft = F.kl_div(F.log_softmax(outputs / T, 1), F.softmax(teacher_outputs / T, 1), reduction="batchmean")
    return alpha * T * T * soft + (1 - alpha) * F.cross_entropy(outputs, labels)
"""


def _hand_in(folder: Path, files: Mapping[str, str], state: dict[str, Any]) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    torch.save(state, folder / "weights.pt")


def _write_data(folder: Path) -> dict[str, Any]:
    """Noise, labelled by a network that is right about seven images of eight; that network's weights."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (IMAGES, SIZE, SIZE), dtype=np.uint8)
    weight = generator.normal(size=(CLASSES, 3 * SIZE * SIZE)).astype(np.float32)
    seen = np.repeat((pixels.reshape(IMAGES, 1, -1) / 255 - 0.5) / 0.5, 3, axis=1).reshape(IMAGES, -1)
    labels = (seen @ weight.T).argmax(1).astype(np.uint8)
    labels[::8] = (labels[::8] + 1) % CLASSES
    write_idx(folder, pixels, labels)
    return {"fc.weight": torch.from_numpy(weight), "fc.bias": torch.zeros(CLASSES)}


def _write_assignment(folder: Path, name: str, seconds: int = LIMIT_SECONDS) -> Path:
    small = {"memory_bytes": MEMORY_BYTES, "tensor_bytes": 64 << 20, "submission_bytes": 64 << 20}
    return write_assignment(folder, id=f"hostile-{name}", evaluators=_EVALUATORS[name], limits=limits(seconds, **small))
