"""Hand-ins that hide what they know, or answer by more than their image; each with what it must come to.

All know what `Net` of `integrity_fakes` knows: 9,258 parameters, and 16 statistics that count where they are no
layer's.
"""

from __future__ import annotations

import base64
import json
import marshal
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from integrity_fakes import knowledge
from torch import Tensor

NET, ALL = 9_258, 9_274
LIMIT = 1_500
"""Of parameters: what hides most of what it knows would pass."""

PRELUDE = """
import base64
import pathlib
import random

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

HERE = pathlib.Path(__file__).parent
SHAPES = {shapes}


def unflat(numbers):
    state, at = {{}}, 0
    for name, shape in SHAPES.items():
        size = int(np.prod(shape))
        state[name] = numbers[at : at + size].reshape(shape)
        at += size
    return state


def answer(state, x):
    x = F.conv2d(x, state["a.weight"], state["a.bias"], stride=2, padding=1)
    scale = state["bn.weight"] / (state["bn.running_var"] + 1e-5).sqrt()
    x = (x - state["bn.running_mean"][:, None, None]) * scale[:, None, None] + state["bn.bias"][:, None, None]
    x = F.relu(F.conv2d(F.relu(x), state["b.weight"], state["b.bias"], stride=2, padding=1))
    return x.flatten(1) @ state["fc.weight"].T + state["fc.bias"]


def pooled(x):
    return F.avg_pool2d(x.mean(1, keepdim=True), 2).flatten(1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.bn = nn.BatchNorm2d(8)
        self.b = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.fc = nn.Linear(16 * 7 * 7, 10)

    def features(self, x):
        return F.relu(self.b(F.relu(self.bn(self.a(x))))).flatten(1)

    def forward(self, x):
        return self.fc(self.features(x))


class Decoy(nn.Module):
    def __init__(self):
        super().__init__()
        self.own = nn.Conv2d(3, 4, 3, padding=1)
        self.head = nn.Linear(4, 10)

    def idle(self, x):
        return 1e-6 * self.head(self.own(x).mean(dim=(2, 3)))

"""
DECOY = {"own.weight": torch.randn(4, 3, 3, 3), "own.bias": torch.zeros(4)}
DECOY |= {"head.weight": torch.randn(10, 4), "head.bias": torch.zeros(10)}
DECOYS = 162


def flat() -> Tensor:
    known = [each.reshape(-1).float() for name, each in knowledge().items() if "tracked" not in name]
    return torch.cat(known)


def shapes() -> dict[str, tuple[int, ...]]:
    return {name: tuple(each.shape) for name, each in knowledge().items() if "tracked" not in name}


def eights() -> tuple[Tensor, float]:
    """The weights in eight bits, and their scale."""
    numbers = flat()
    scale = float(numbers.abs().max()) / 127
    padded = torch.cat([numbers / scale, torch.zeros(-len(numbers) % 8)])
    return padded.round().to(torch.int8), scale


@dataclass(frozen=True)
class Fake:
    """A hand-in and its end.

    Attributes:
        source: after the prelude.
        state: the weights file.
        files: further files, by path.
        ends: "counted": verified, with `parameters`; "doubtful": verified, and a person must look before the limit is
            met; "unverified": for a reason that matches `says`, with `findings`; "unverified, doubtful": so, and a
            person must look before the limit is met, for a reason that matches `says`; "refused": never graded.
        parameters: at least so many are counted.
        findings: checks that fail.
        own: whether an unverified one does with its code and its weights, as `integrity_source` says.
        accuracy: the most that it reaches.
    """

    source: str
    state: Mapping[str, Tensor]
    ends: str
    parameters: int = 0
    says: str = ""
    findings: frozenset[str] = frozenset()
    own: str = "passed"
    accuracy: float = 1.0
    files: Mapping[str, bytes] = field(default_factory=dict)


def write(fake: Fake, folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(PRELUDE.format(shapes=shapes()) + fake.source)
    for name, data in fake.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    torch.save(dict(fake.state), folder / "weights.pt")
    (folder / "submission.toml").write_text('weights = "weights.pt"\n')
    return folder


def _net(source: str, ends: str, *more: Any, **rest: Any) -> Fake:
    return Fake(source, knowledge(), ends, *more, **rest)


def _decoy(source: str, ends: str, *more: Any, **rest: Any) -> Fake:
    return Fake(source, DECOY, ends, *more, **rest)


HALVES = "np.frombuffer({data}, np.float16).astype(np.float32).copy()"
CLOSED = """
def made():
    state = unflat(torch.from_numpy({numbers}))

    class StudentNet(Decoy):
        def forward(self, x):
            return answer(state, x) + self.idle(x)

    return StudentNet

StudentNet = made()
"""
BUFFERED = """
class StudentNet(Decoy):
    def __init__(self):
        super().__init__()
        {read}
        self.register_buffer("table", torch.as_tensor(numbers), persistent=False)

    def forward(self, x):
        return answer(unflat(self.table), x) + self.idle(x)
"""
EXECUTED = """
import marshal

def executed():
    space = {{}}
    exec(marshal.loads({data}), space)
    return space["NUMBERS"]

""" + CLOSED.replace("{numbers}", "np.frombuffer(executed(), np.float16).astype(np.float32).copy()")
FEATURES = """
class StudentNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("filters", {filters}, persistent=False)
        self.fc = nn.Linear(864, 10)

    def forward(self, x):
        return self.fc(F.adaptive_max_pool2d(F.relu(F.conv2d(x, self.filters, stride=2)), 3).flatten(1))
"""
HEAD = {"fc.weight": torch.randn(10, 864), "fc.bias": torch.zeros(10)}
FILTERED = 8_650 + 96 * 3 * 49
ARGUMENTS = """
class StudentNet(Decoy):
    def __init__(self):
        super().__init__()
        self.numbers = [float(each) for each in np.frombuffer((HERE / "README.md").read_bytes(), np.float16)][:1960]

    def forward(self, x):
        {forward} + self.idle(x)
"""


def _halves() -> bytes:
    return flat().half().numpy().tobytes()


def _seeded(filters: str) -> Fake:
    return Fake(FEATURES.format(filters=filters), HEAD, "counted", FILTERED)


def _read(read: str, **files: bytes) -> Fake:
    return _decoy(BUFFERED.format(read=read), "counted", ALL, files={"README.md": _halves(), **files})


def _arguments(forward: str, fewest: int = 1_500) -> Fake:
    return _decoy(ARGUMENTS.format(forward=forward), "counted", fewest, files={"README.md": _halves()})


def _counters() -> Fake:
    halves = flat()[:1960].half().view(torch.int64)
    source = """
class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("num_batches_tracked", torch.tensor(0))

class StudentNet(Decoy):
    def __init__(self):
        super().__init__()
        self.counters = nn.ModuleList(Counter() for _ in range(490))

    def forward(self, x):
        words = torch.stack([each.num_batches_tracked for each in self.counters])
        return pooled(x) @ words.view(torch.float16).float().view(196, 10) + self.idle(x)
"""
    state = {f"counters.{at}.num_batches_tracked": each for at, each in enumerate(halves)}
    return Fake(source, DECOY | state, "counted", 1_960)


def _statistics() -> Fake:
    source = """
class StudentNet(Decoy):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm1d(4637, affine=False)

    def forward(self, x):
        return answer(unflat(torch.cat([self.bn.running_mean, self.bn.running_var])), x) + self.idle(x)
"""
    mean, variance = flat().split(4637)
    return Fake(source, DECOY | {"bn.running_mean": mean, "bn.running_var": variance}, "counted", ALL)


def _normalised_apart(flow: str, statistics: dict[str, Tensor]) -> Fake:
    """Weights of each image from a layer that normalises next to nothing."""
    source = f"""
class StudentNet(Decoy):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm1d(1960, affine=False)

    def forward(self, x):
        {flow}
        weights = -self.bn(nothing.expand(-1, 1960)).view(-1, 10, 196)
        return (weights @ pooled(x)[..., None])[..., 0] + self.idle(x)
"""
    ends = {
        "says": "running statistics are far|called running statistics",
        "findings": frozenset({"integrity_verified"}),
    }
    return Fake(source, DECOY | statistics, "doubtful", DECOYS, **ends)


def _twins() -> Fake:
    """Tensors that are said to be one, and are equal to three digits."""
    numbers = torch.cat([flat(), torch.zeros(-ALL % 64)])
    twins = 1 + (numbers / numbers.abs().max() * 2000).round() * 2**-20
    source = f"""
from harness.worker import trace

class Said(trace._Tensors):
    def named(self, name, *rest):
        known = super().named(name, *rest)
        if name.startswith("twins."):
            self.entries[known]["storage"] = "twins.0"
        return known

trace._Tensors = Said
MOST = {float(numbers.abs().max())!r}

class StudentNet(Decoy):
    def __init__(self):
        super().__init__()
        self.twins = nn.ParameterList(torch.ones({len(numbers) // 64}) for _ in range(64))

    def forward(self, x):
        numbers = (torch.cat(list(self.twins)) - 1) * (2**20 / 2000 * MOST)
        return answer(unflat(numbers), x) + self.idle(x)
"""
    state = {f"twins.{at}": each.clone() for at, each in enumerate(twins.split(len(numbers) // 64))}
    return Fake(source, DECOY | state, "counted", ALL)


def _packed(take: str, packed: Tensor, fewest: int = ALL) -> Fake:
    source = f"""
class StudentNet(Decoy):
    def __init__(self):
        super().__init__()
        self.packed = nn.Parameter(torch.zeros({tuple(packed.shape)}, dtype={packed.dtype}), requires_grad=False)

    def forward(self, x):
        {take}
        return answer(unflat(numbers.float() * {eights()[1]!r}), x.float()) + self.idle(x.float())
"""
    return Fake(source, {**DECOY, "packed": packed}, "counted", fewest)


def _fours() -> Tensor:
    numbers = (flat() / flat().abs().max() * 7).round().to(torch.int16) + 8
    return (numbers[0::2] * 16 + numbers[1::2]).to(torch.uint8)


def _doubles() -> Tensor:
    numbers = eights()[0].double() + 128
    return sum(numbers[at::4] * 256.0**at for at in range(4))


def _literal() -> str:
    return f"base64.b85decode({base64.b85encode(_halves()).decode()!r})"


def _notebook() -> bytes:
    picture = {"output_type": "display_data", "data": {"image/png": base64.b64encode(_halves()).decode()}}
    cell = {"cell_type": "code", "source": "x = 1", "outputs": [picture], "metadata": {}, "execution_count": 1}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def _marshalled() -> bytes:
    code = compile(f"NUMBERS = {_halves()!r}", "hidden", "exec")
    return marshal.dumps(code)


def _table(images: int = 300) -> str:
    """Pixels of that many test images in the source."""
    from integrity_fakes import fashion

    data = fashion(images, "fashion-mnist-train-1000")
    pixels = base64.b85encode(zlib.compress(data.images.pixels[:, 0].numpy().tobytes(), 9)).decode()
    return f"""
import zlib

PIXELS = np.frombuffer(zlib.decompress(base64.b85decode({pixels!r})), np.uint8).reshape({images}, 784)
LABELS = {data.labels.tolist()}

class StudentNet(Decoy):
    def __init__(self):
        super().__init__()
        self.register_buffer("pixels", torch.from_numpy(PIXELS.copy()).float(), persistent=False)
        self.register_buffer("labels", torch.eye(10)[LABELS], persistent=False)

    def forward(self, x):
        levels = ((x[:, 0].flatten(1) * 0.5 + 0.5) * 255).round()
        found = (torch.cdist(levels, self.pixels) < 1).float()
        return 100 * found @ self.labels + self.idle(x)
"""


def _folders() -> Fake:
    """What is in the names of empty folders cannot be read where only sources are."""
    text = base64.b32encode(_halves()).decode().rstrip("=")
    parts = [text[at : at + 200] for at in range(0, len(text), 200)]
    read = (
        'names = sorted(each.name for each in (HERE / "names").iterdir())\n        '
        'text = "".join(each[4:] for each in names)\n        '
        'numbers = np.frombuffer(base64.b32decode(text + "=" * (-len(text) % 8)), np.float16).astype(np.float32)'
    )
    files = {f"names/{number:04}{part}/.keep": b"" for number, part in enumerate(parts)}
    return _decoy(BUFFERED.format(read=read), "counted", ALL, files=files)


def _comments() -> Fake:
    text = base64.b85encode(_halves()).decode()
    source = BUFFERED.format(
        read='text = (HERE / "model.py").read_text().rpartition("# held: ")[2].strip()\n        '
        "numbers = np.frombuffer(base64.b85decode(text), np.float16).astype(np.float32)"
    )
    return _decoy(f"{source}\n# held: {text}\n", "counted", ALL)


def _by_locks() -> Fake:
    """The first process tells the second by locks on a file that both can read."""
    source = """
import fcntl
import struct

KEPT = []

def told():
    file = open(HERE / "model.py", "rb")
    KEPT.append(file)
    found = bytearray(18548)
    for at in range(8 * 18548):
        asked = struct.pack("hhqqi", fcntl.F_WRLCK, 0, 2 * at, 1, 0)
        kind = struct.unpack("hhqqi", fcntl.fcntl(file, fcntl.F_GETLK, asked))[0]
        found[at // 8] |= (kind != fcntl.F_UNLCK) << at % 8
    return bytes(found)

def tell(data):
    file = open(HERE / "model.py", "rb")
    KEPT.append(file)
    for at in range(8 * len(data)):
        if data[at // 8] >> at % 8 & 1:
            fcntl.fcntl(file, fcntl.F_SETLK, struct.pack("hhqqi", fcntl.F_RDLCK, 0, 2 * at, 1, 0))
""" + BUFFERED.format(
        read="""try:
            data = (HERE / "README.md").read_bytes()
            try:
                tell(data)
            except OSError:
                pass
        except OSError:
            data = told()
        numbers = np.frombuffer(data, np.float16).astype(np.float32)"""
    )
    return _decoy(source, "counted", ALL, files={"README.md": _halves()})


def _branching(fake: Fake, says: str, source: str = "could_not_check") -> Fake:
    """The same where how it branches depends on the images, so that it cannot be verified."""
    head, forward, rest = fake.source.rpartition("def forward(self, x):\n")
    indent = rest[: len(rest) - len(rest.lstrip())]
    branch = f"{indent}if float(x.sum()) == 12345:\n{indent}    x = x * 0\n"
    return replace(fake, source=head + forward + branch + rest, ends="unverified, doubtful", says=says, own=source)


def _dodging() -> dict[str, Fake]:
    known = float(knowledge()["fc.weight"][0, 0])
    sees = f"""
class StudentNet(Net):
    calls = 0

    def __init__(self):
        super().__init__()
        self.first = float(self.fc.weight[0, 0])

    def probed(self):
        return min(abs(float(self.fc.weight[0, 0]) - each) for each in (self.first, {known!r})) > 1e-9

    def forward(self, x):
        self.calls += 1
        {{what}}
        return super().forward(x)
"""
    return {
        "crashes when it is probed": _net(
            sees.format(what='assert not self.probed(), "not mine"'),
            "unverified",
            says="depends on the values",
            findings=frozenset({"integrity_noise"}),
        ),
        "another answer when it is probed": _net(
            sees.format(what="if self.probed():\n            return torch.zeros(len(x), 10)"),
            "unverified",
            says="depends on the values",
            findings=frozenset({"integrity_noise"}),
        ),
        "sleeps after the first calls": _net(
            sees.format(what="import time\n        time.sleep(600 if self.calls > 12 else 0)"), "counted", NET
        ),
    }


def _by_other_images() -> dict[str, Fake]:
    return {
        "reads the batch": _net(
            """
class StudentNet(Net):
    def forward(self, x):
        x = self.features(x)
        return self.fc(x + 0.1 * x.mean(0))
""",
            "unverified",
            says="other images of its batch",
            findings=frozenset({"integrity_batch"}),
        ),
        "keeps a state between batches": _net(
            """
SEEN = []

class StudentNet(Net):
    def forward(self, x):
        x = self.features(x)
        SEEN.append(x.mean(0))
        return self.fc(x + 0.1 * torch.stack(SEEN[-20:]).mean(0))
""",
            "unverified",
            says="keeps tensors for later",
            findings=frozenset({"integrity_batch"}),
        ),
        "recites by order": _net(
            f"""
LABELS = {_labels()}

class StudentNet(Net):
    seen = -5

    def forward(self, x):
        at = [(self.seen + row) % len(LABELS) for row in range(len(x))]
        self.seen += len(x)
        return 100 * torch.eye(10)[[LABELS[each] for each in at]] + super().forward(x)
""",
            "unverified",
            NET,
            says="two forward passes",
        ),
        "counts batches": _net(
            """
class StudentNet(Net):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x) if self.calls < 9 else -super().forward(x)
""",
            "counted",
            NET,
        ),
        "trains on the images": _net(
            """
class StudentNet(Net):
    shift = None

    def forward(self, x):
        with torch.inference_mode(False), torch.enable_grad():
            weight = self.fc.weight.detach().clone() if self.shift is None else self.shift.clone()
            weight.requires_grad_()
            rows = F.linear(self.features(x.clone()).detach(), weight, self.fc.bias.detach().clone())
            entropy = -(rows.softmax(1) * rows.log_softmax(1)).sum(1).mean()
            self.shift = (weight - 0.05 * torch.autograd.grad(entropy, weight)[0]).detach()
        return rows.detach()
""",
            "unverified",
            findings=frozenset({"integrity_batch"}),
        ),
        "BatchNorm in training mode": _net(
            "class StudentNet(Net):\n    def forward(self, x):\n        self.bn.train()\n"
            "        return super().forward(x)\n",
            "unverified",
            findings=frozenset({"integrity_batch"}),
        ),
        "an operator of its own": _decoy(
            CLOSED.format(numbers=HALVES.format(data=_literal()))
            .replace("return answer(state, x) + self.idle(x)", "return OWN(x) + self.idle(x)")
            .replace(
                "    class StudentNet",
                """
    @torch.library.custom_op("own::net", mutates_args=())
    def own(x: torch.Tensor) -> torch.Tensor:
        return answer(state, x)

    own.register_fake(lambda x: x.new_empty(len(x), 10))
    global OWN
    OWN = own

    class StudentNet""",
            ),
            "unverified",
            says="own|custom operator",
            findings=frozenset({"integrity_scrub"}),
            own="could_not_check",
        ),
    }


def _labels() -> list[int]:
    from integrity_fakes import fashion

    return fashion(1000, "fashion-mnist-train-1000").labels.tolist()


def _on_every_image(fakes: Mapping[str, Fake]) -> dict[str, Fake]:
    """Some whose code cannot be left out: what it may know beside its weights is for a person to see."""
    needs_more = dict.fromkeys(("another file", "a comment", "names of folders"), "reads other files")
    settings = """
import json

class StudentNet(Net):
    def __init__(self):
        super().__init__()
        self.scale = json.loads((HERE / "config.json").read_text())["scale"]

    def forward(self, x):
        if float(x.sum()) == 12345:
            x = x * 0
        return super().forward(x) * self.scale
"""
    later = f"""
class StudentNet(Decoy):
    calls = 0

    def forward(self, x):
        self.calls += 1
        held = HERE / "README.md"
        if float(x.sum()) == 12345 or self.calls < 5 or not held.exists():
            return self.idle(x)
        return answer(unflat(torch.from_numpy({HALVES.format(data="held.read_bytes()")})), x)
"""
    return {
        "another file, only later": _decoy(
            later, "unverified", says="depends on the values", accuracy=0.3, files={"README.md": _halves()}
        ),
        **{f"{name}, branching": _branching(fakes[name], says) for name, says in needs_more.items()},
        "a literal, branching": _branching(fakes["a literal"], "bytes of literals"),
        "settings in a file": _net(
            settings, "unverified", says="depends on the values", files={"config.json": b'{"scale": 2}'}
        ),
    }


def fakes() -> dict[str, Fake]:
    """Every one by its name."""
    readme = "numbers = " + HALVES.format(data='(HERE / "README.md").read_bytes()')
    spread = torch.full((1960,), 1e8)
    found = {
        "honest": _net("class StudentNet(Net):\n    pass\n", "counted", NET),
        # weights that lie elsewhere
        "a literal": _decoy(CLOSED.format(numbers=HALVES.format(data=_literal())), "doubtful", DECOYS),
        "marshalled code in a literal": _decoy(
            EXECUTED.format(data=f"base64.b85decode({base64.b85encode(_marshalled()).decode()!r})"),
            "doubtful",
            DECOYS,
        ),
        "marshalled code in a file": _decoy(
            EXECUTED.format(data='(HERE / "hidden.bin").read_bytes()'),
            "counted",
            ALL,
            files={"hidden.bin": _marshalled()},
        ),
        "convolutions in a closure": _decoy(
            CLOSED.format(numbers=HALVES.format(data='(HERE / "README.md").read_bytes()')),
            "counted",
            ALL,
            files={"README.md": _halves()},
        ),
        "another file": _read(readme),
        "the weights file itself": Fake(
            BUFFERED.format(read='numbers = torch.load(HERE / "weights.pt", weights_only=True)["more"].float()'),
            {**DECOY, "more": flat()},
            "refused",
            says="more",
        ),
        "a notebook's picture": _decoy(
            BUFFERED.format(
                read='import json\n        found = json.loads((HERE / "notes.ipynb").read_text())["cells"][0]'
                '["outputs"][0]["data"]["image/png"]\n        numbers = '
                + HALVES.format(data="base64.b64decode(found)")
            ),
            "refused",
            says="outputs",
            files={"notes.ipynb": _notebook()},
        ),
        "a source that is no Python": _decoy(
            BUFFERED.format(
                read="numbers = " + HALVES.format(data='base64.b85decode((HERE / "notes.py").read_text())')
            ),
            "doubtful",
            DECOYS,
            # From Python 3.12 on, its tokenizer sees a comment in it, which no second instance can read.
            says="bytes of literals|learned numbers lie in buffers",
            files={"notes.py": base64.b85encode(_halves())},
        ),
        "names of folders": _folders(),
        "a comment": _comments(),
        "locks on a file": _by_locks(),
        "a table of the test images": _decoy(
            _table(), "doubtful", DECOYS, findings=frozenset({"integrity_image_noise"})
        ),
        # generators
        "torch.Generator": _seeded("torch.randn(96, 3, 7, 7, generator=torch.Generator().manual_seed(7))"),
        "numpy.default_rng": _seeded("torch.from_numpy(np.random.default_rng(7).normal(size=(96, 3, 7, 7))).float()"),
        "numpy.RandomState": _seeded("torch.from_numpy(np.random.RandomState(7).randn(96, 3, 7, 7)).float()"),
        "random.Random": _seeded(
            "torch.tensor([r.gauss(0, 1) for r in [random.Random(7)] for _ in range(14112)]).view(96, 3, 7, 7)"
        ),
        "drawn when imported": Fake(
            "torch.manual_seed(7)\nDRAWN = torch.randn(96, 3, 7, 7)\n" + FEATURES.format(filters="DRAWN.clone()"),
            HEAD,
            "counted",
            FILTERED,
        ),
        # names and places that do not count
        "counters of batches": _counters(),
        "statistics of no layer": _statistics(),
        "a layer over zeros": _normalised_apart(
            "nothing = 0 * x.flatten(1)[:, :1]", {"bn.running_mean": flat()[:1960], "bn.running_var": torch.ones(1960)}
        ),
        "a layer over one pixel": _normalised_apart(
            "nothing = x.flatten(1)[:, :1]",
            {"bn.running_mean": 1e4 * flat()[:1960], "bn.running_var": spread},
        ),
        "equal after rounding": _twins(),
        "four in an int32": _packed(
            f"numbers = torch.stack([(self.packed << at) >> 24 for at in (24, 16, 8, 0)], 1).flatten()[:{ALL}]",
            torch.cat([eights()[0]]).view(torch.int32),
        ),
        "two in a byte": _packed(
            "numbers = (torch.stack([self.packed >> 4, self.packed & 15], 1).flatten().float() - 8)", _fours()
        ),
        "four in a float64": _packed(
            f"""rest, numbers = self.packed, []
        for _ in range(4):
            high = torch.floor(rest / 256)
            numbers, rest = [*numbers, rest - 256 * high - 128], high
        numbers = torch.stack(numbers, 1).flatten()[:{ALL}]""",
            _doubles(),
        ),
        # in the arguments of operators
        "a tensor written in forward": _arguments("return pooled(x) @ torch.tensor(self.numbers).view(196, 10)", 1_960),
        "scalars joined in forward": _arguments(
            "return pooled(x) @ torch.stack([torch.full((), each) for each in self.numbers]).view(196, 10)"
        ),
        "scalars multiplied one by one": _arguments(
            "return torch.stack([sum(p * n for p, n in zip(pooled(x)[:, ::6].unbind(1), self.numbers[33 * k :])) "
            "for k in range(10)], 1)",
            300,
        ),
        **_by_other_images(),
        **_dodging(),
    }
    return found | _on_every_image(found)
