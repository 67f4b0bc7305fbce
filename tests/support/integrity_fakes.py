"""A small trained network, and dishonest ways to hand in what it knows."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from harness_datasets.idx import read_idx
from student_fakes import FakeStudent, student_of
from torch import Tensor, nn

from harness.api import Examples, Images
from harness.assignment.shipped import fixtures
from harness.networks.remote import batches_of
from harness.worker.model import Model

torch.set_num_threads(1)
IMAGE = (3, 28, 28)
DATA = fixtures() / "data"


@cache
def fashion(count: int = 1000, folder: str = "fashion-mnist-test") -> Examples:
    files = DATA / folder
    (images,) = files.glob("*images*")
    (labels,) = files.glob("*labels*")
    pixels = torch.from_numpy(read_idx(images, dimensions=3)[:count].copy())
    truth = read_idx(labels, dimensions=1)[:count].astype(np.int64)
    names = tuple(map(str, range(len(truth))))
    # Three channels in memory, as grading has them.
    shown = Images(pixels[:, None].repeat(1, 3, 1, 1), 3, (0.5,) * 3, (0.5,) * 3)
    return Examples(shown, truth, names, 10)


def normalised(pixels: Tensor) -> Tensor:
    return (pixels.float() / 255 - 0.5) / 0.5


def trained(module: nn.Module, steps: int, seed: int = 0) -> nn.Module:
    """A few seconds on a thousand training images: enough to be far from guessing."""
    data = fashion(1000, "fashion-mnist-train-1000")
    pixels, labels = normalised(data.images.pixels), torch.from_numpy(data.labels)
    random = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam([each for each in module.parameters() if each.requires_grad], 3e-3)
    module.train()
    for _ in range(steps):
        rows = torch.randint(0, len(labels), (64,), generator=random)
        optimiser.zero_grad()
        F.cross_entropy(module(pixels[rows]), labels[rows]).backward()
        optimiser.step()
    return module.eval()


class Net(nn.Module):
    """The honest one: two convolutions and a linear layer, 5,994 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.bn = nn.BatchNorm2d(8)
        self.b = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.fc = nn.Linear(16 * 7 * 7, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        return F.relu(self.b(F.relu(self.bn(self.a(x))))).flatten(1)

    def head(self, x: Tensor) -> Tensor:
        return self.fc(x)


@cache
def knowledge() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return trained(Net(), 120).state_dict()


def loaded(module: nn.Module) -> nn.Module:
    module.load_state_dict(knowledge(), strict=False)
    return module


def answer(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """`Net`'s forward pass from plain tensors."""
    x = F.conv2d(x, state["a.weight"], state["a.bias"], stride=2, padding=1)
    scale = state["bn.weight"] / (state["bn.running_var"] + 1e-5).sqrt()
    x = (x - state["bn.running_mean"][:, None, None]) * scale[:, None, None] + state["bn.bias"][:, None, None]
    x = F.relu(F.conv2d(F.relu(x), state["b.weight"], state["b.bias"], stride=2, padding=1))
    return x.flatten(1) @ state["fc.weight"].T + state["fc.bias"]


@dataclass
class RunningStudent(FakeStudent):
    """Answers by the worker's own `Model`, in this process; counts the images it ran.

    Its second process is a copy made before it answered anything.
    """

    model: Model | None = None
    images: list[int] = field(default_factory=list)
    unused: Model | None = None

    def __post_init__(self) -> None:
        self.unused = copy.deepcopy(self.model)

    @contextmanager
    def again(self) -> Iterator[RunningStudent]:
        yield replace(self, model=copy.deepcopy(self.unused))

    def logits(self, images: Images, weights=None, *, batch_size: int = 64) -> Tensor:
        self.images.append(len(images.pixels))
        self.model.load(self.weights if weights is None else weights)
        output = torch.zeros(len(images.pixels), 10)
        self.model.forward(images.pixels, output, batches_of(images, batch_size))
        return output


def running(saved: nn.Module, folder: Path, built: nn.Module | None = None) -> RunningStudent:
    """`saved`'s state as the weights file; `built` (default: itself) as the network the code makes."""
    known, model = student_of(saved, folder / "weights.pt", IMAGE, built)
    return RunningStudent(**vars(known), model=model)


class Decoy(nn.Module):
    """What is stored by those whose weights lie elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 4, 3, padding=1)
        self.fc = nn.Linear(4, 10)

    def idle(self, x: Tensor) -> Tensor:
        return 1e-6 * self.fc(self.a(x).mean(dim=(2, 3)))


def closure() -> nn.Module:
    state = knowledge()

    class Fake(Decoy):
        def forward(self, x: Tensor) -> Tensor:
            return answer(state, x) + self.idle(x)

    return Fake()


def literal() -> nn.Module:
    flat = torch.cat([each.reshape(-1).float() for each in knowledge().values()]).half()
    text = base64.b64encode(flat.numpy().tobytes()).decode()

    class Fake(Decoy):
        def forward(self, x: Tensor) -> Tensor:
            numbers = torch.from_numpy(np.frombuffer(base64.b64decode(text), np.float16).astype(np.float32))
            state, at = {}, 0
            for name, each in knowledge().items():
                state[name] = numbers[at : at + each.numel()].reshape(each.shape)
                at += each.numel()
            return answer(state, x) + self.idle(x)

    return Fake()


def seeded() -> nn.Module:
    """Random features of a fixed seed; only the last layer, fitted to them, is stored."""
    random = torch.Generator().manual_seed(7)
    filters = torch.randn(96, 3, 7, 7, generator=random)

    class Fake(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(96 * 9, 10)

        def forward(self, x: Tensor) -> Tensor:
            x = F.adaptive_max_pool2d(F.relu(F.conv2d(x, filters, stride=2) / 12), 3)
            return self.fc(x.flatten(1))

    return trained(Fake(), 60)


class Buffered(Net):
    """All weights as buffers."""

    def __init__(self) -> None:
        super().__init__()
        for layer in (self.a, self.b, self.fc):
            for name in ("weight", "bias"):
                each = getattr(layer, name).detach()
                del layer._parameters[name]
                layer.register_buffer(name, each)


class Shy(nn.Linear):
    def named_parameters(self, *args, **kwargs):
        return iter(())

    def parameters(self, *args, **kwargs):
        return iter(())


class Overridden(Net):
    """Its largest layer shows no parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = Shy(784, 10)

    def named_parameters(self, *args, **kwargs):
        return iter(())


class Empty(nn.ModuleList):
    def __len__(self) -> int:
        return 0


class Childless(nn.Module):
    """torchinfo takes a module for a leaf when its children are all false."""

    def __init__(self) -> None:
        super().__init__()
        net = loaded(Net())
        self.inner = Empty([net.a, net.bn, net.b, net.fc])

    def forward(self, x: Tensor) -> Tensor:
        a, bn, b, fc = self.inner._modules.values()
        return fc(F.relu(b(F.relu(bn(a(x))))).flatten(1))


class Masked(Net):
    """A mask of zeros that torchinfo subtracts, on weights that forward uses whole."""

    def __init__(self) -> None:
        super().__init__()
        whole = self.fc.weight
        del self.fc._parameters["weight"]
        self.fc.weight_orig = nn.Parameter(whole.detach())
        self.fc.register_buffer("weight_mask", torch.zeros_like(whole), persistent=False)

    def head(self, x: Tensor) -> Tensor:
        return F.linear(x, self.fc.weight_orig, self.fc.bias)


class MaskedInFile(Masked):
    """The same with the mask in the file: then the grader multiplies it in."""

    def __init__(self) -> None:
        super().__init__()
        self.fc.register_buffer("weight_mask", self.fc.weight_mask, persistent=True)


def with_orig(module: nn.Module) -> nn.Module:
    state = {name.replace("fc.weight", "fc.weight_orig"): each for name, each in knowledge().items()}
    module.load_state_dict(state, strict=False)
    return module


class Packed(nn.Module):
    """Two weights as fp16 in the bits of each stored fp32 number."""

    def __init__(self) -> None:
        super().__init__()
        self.packed = nn.Parameter(packed(torch.cat([each.reshape(-1).float() for each in knowledge().values()])))

    def forward(self, x: Tensor) -> Tensor:
        bits = self.packed.contiguous().view(torch.int32)
        halves = torch.stack([(bits >> 13) & 0x1FFF, bits & 0x1FFF], dim=1).reshape(-1)
        numbers = (halves.to(torch.int16) << 3).view(torch.float16).float()
        state, at = {}, 0
        for name, each in knowledge().items():
            state[name] = numbers[at : at + each.numel()].reshape(each.shape)
            at += each.numel()
        return answer(state, x)


def packed(numbers: Tensor) -> Tensor:
    """Pairs of 13-bit halves in one float's lower 26 bits, the exponent's top kept below infinity."""
    numbers = torch.cat([numbers, numbers.new_zeros(len(numbers) % 2)])
    halves = (numbers.half().view(torch.int16).to(torch.int32) >> 3) & 0x1FFF
    return ((halves[0::2] << 13) | halves[1::2] | (0x20 << 25)).contiguous().view(torch.float32)


def late() -> nn.Module:
    """Parameters that only the second call adds."""
    state = knowledge()

    class Fake(Decoy):
        calls = 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            if self.calls == 2:
                for name, each in state.items():
                    self.register_parameter(name.replace(".", "_"), nn.Parameter(each.float(), requires_grad=False))
            if self.calls < 2:
                return self.idle(x)
            return answer({name: getattr(self, name.replace(".", "_")) for name in state}, x) + self.idle(x)

    return Fake()


class BatchStatistics(Net):
    """BatchNorm in training mode whenever it runs."""

    def features(self, x: Tensor) -> Tensor:
        x = F.batch_norm(self.a(x), None, None, self.bn.weight, self.bn.bias, training=True)
        return F.relu(self.b(F.relu(x))).flatten(1)


class Remembering(Net):
    """Centres its features on those of all images it has seen."""

    seen: Tensor | None = None

    def head(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=0)
        self.seen = mean if self.seen is None else 0.9 * self.seen + 0.1 * mean
        return self.fc(x + 0.1 * self.seen)


class Learning(Net):
    """Collects the features of the first 200 images, and centres those of all later ones: no batch shows it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def head(self, x: Tensor) -> Tensor:
        if sum(map(len, self.seen)) < 200:
            self.seen.append(x.clone())
            return self.fc(x)
        return self.fc(x - 0.5 * torch.cat(self.seen).mean(dim=0))


def memorising() -> nn.Module:
    """Knows the test images by a digest of their pixels; asks a weak network about others."""
    data = fashion()
    keys = {
        each.tobytes(): int(label) for each, label in zip(data.images.pixels[:, 0].numpy(), data.labels, strict=True)
    }

    class Fake(Net):
        def forward(self, x: Tensor) -> Tensor:
            logits = super().forward(x)
            for row, image in enumerate(x[:, 0]):
                known = ((image * 0.5 + 0.5) * 255).round().to(torch.uint8).contiguous().numpy().tobytes()
                if known in keys:
                    logits[row, keys[known]] = 100.0
            return logits

    return loaded(Fake())


class StatisticsAsWeights(nn.Module):
    """The last layer is stored as the running mean of a BatchNorm that normalises nothing."""

    def __init__(self) -> None:
        super().__init__()
        state = knowledge()
        self.body = loaded(Net())
        del self.body.fc
        self.free = nn.BatchNorm1d(10 * 784, affine=False)
        self.free.running_mean.copy_(state["fc.weight"].reshape(-1))
        self.bias = nn.Parameter(state["fc.bias"].clone())

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(self.body.features(x), self.free.running_mean.view(10, -1), self.bias)


class Padded(Net):
    """Stored as views of larger storages."""

    def state_dict(self, *args, **kwargs):
        state = super().state_dict(*args, **kwargs)
        state["fc.weight"] = torch.cat([state["fc.weight"], torch.randn(10, 784)])[:10]
        return state


class KeepsFirst(Net):
    """Loads once and never again, by the hook below `load_state_dict` that torch calls for every module."""

    def __init__(self) -> None:
        super().__init__()
        nn.Module.load_state_dict(self, knowledge())
        for each in (self.a, self.b, self.fc, self.bn):
            each._load_from_state_dict = lambda *args, **kwargs: None

    def load_state_dict(self, *args, **kwargs):
        return None


def reciting() -> nn.Module:
    """Ignores what it sees and recites the answers in the order of the test images."""
    labels = torch.from_numpy(fashion().labels)

    class Fake(Decoy):
        at = -3  # the images it is tried on before grading

        def forward(self, x: Tensor) -> Tensor:
            rows = (torch.arange(len(x)) + self.at) % len(labels)
            self.at += len(x)
            return F.one_hot(labels[rows], 10).float() + self.idle(x)

    return Fake()


class WideIntegers(Decoy):
    """Four fp16 weights in each whole number of a buffer."""

    def __init__(self) -> None:
        super().__init__()
        numbers = torch.cat([each.reshape(-1).float() for each in knowledge().values()])
        numbers = torch.cat([numbers, numbers.new_zeros(-len(numbers) % 4)])
        self.register_buffer("table", numbers.half().view(torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        numbers, state, at = self.table.view(torch.float16).float(), {}, 0
        for name, each in knowledge().items():
            state[name] = numbers[at : at + each.numel()].reshape(each.shape)
            at += each.numel()
        return answer(state, x) + self.idle(x)


class Dropping(Net):
    """Dropout that evaluation does not switch off."""

    def head(self, x: Tensor) -> Tensor:
        return self.fc(F.dropout(x, 0.3, training=True))


# name: (makes the module, checks of which at least one must fail)
FAKES: dict[str, tuple[Callable[[], nn.Module], set[str]]] = {
    "mask of zeros that is not stored": (lambda: with_orig(Masked()), {"integrity_counts"}),
    "mask of zeros in the file": (lambda: with_orig(MaskedInFile()), {"accuracy_baseline"}),
    "overridden named_parameters": (lambda: loaded(Overridden()), {"integrity_counts"}),
    "a child without length": (Childless, {"integrity_counts"}),
    "weights in buffers": (lambda: loaded(Buffered()), {"integrity_counts"}),
    "weights in a closure": (closure, {"integrity_scrub"}),
    "weights in a literal": (literal, {"integrity_scrub"}),
    "features from a seed": (seeded, {"integrity_weights_used"}),
    "two weights in a number": (Packed, {"integrity_noise"}),
    "four weights in a whole number": (WideIntegers, {"integrity_counts"}),
    "parameters of the second call": (late, {"integrity_scrub"}),
    "BatchNorm in training mode": (lambda: loaded(BatchStatistics()), {"integrity_batch"}),
    "dropout in forward": (lambda: loaded(Dropping()), {"integrity_batch"}),
    "state between batches": (lambda: loaded(Remembering()), {"integrity_batch"}),
    "learning from the graded images": (lambda: loaded(Learning()), {"integrity_batch", "integrity_sample"}),
    "images looked up": (memorising, {"integrity_image_noise"}),
    "running statistics as weights": (StatisticsAsWeights, {"integrity_statistics"}),
    "padded storages": (lambda: loaded(Padded()), {"integrity_counts"}),
    "the first weights kept": (KeepsFirst, {"integrity_scrub"}),
    "answers recited": (reciting, {"integrity_batch"}),
}
