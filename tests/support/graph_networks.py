"""Honest networks that are unlike a row of convolutions, and how to trace them in tests."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

from harness.graph.limits import accepted
from harness.values.graph import Graph
from harness.worker.model import Model
from harness.worker.trace import trace

SHAPE, CLASSES = (3, 8, 8), 10


@dataclass(frozen=True)
class Example:
    """A module, its graph as accepted, and its tensors."""

    module: nn.Module
    graph: Graph
    tensors: dict[str, Tensor]


def traced(module: nn.Module, shape: tuple[int, ...] = SHAPE, classes: int = CLASSES, batch: int = 64) -> Example:
    """Raises GraphRefused, as grading would see it."""
    done = trace(module, shape, classes, batch)
    graph = accepted(json.dumps(done.graph, allow_nan=False).encode(), shape, classes, batch)
    return Example(module, graph, done.tensors)


@cache
def example(name: str) -> Example:
    torch.manual_seed(0)
    module = NETWORKS[name]()
    return traced(Model(module, SHAPE).module if name == "lazy" else module.eval())


def images(count: int, shape: tuple[int, ...] = SHAPE) -> Tensor:
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(count))


def plain() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, 10)
    )


class Of(nn.Module):
    """A network made of a function of itself and the images."""

    def __init__(self, function: Callable[[Any, Tensor], Any], **members: Any) -> None:
        super().__init__()
        self.function = function
        for name, each in members.items():
            if isinstance(each, Tensor) and not isinstance(each, nn.Parameter):
                self.register_buffer(name, each)
            else:
                setattr(self, name, each)

    def forward(self, x: Tensor) -> Any:
        return self.function(self, x)


class SqueezeExcite(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(width, width // 2), nn.Linear(width // 2, width)

    def forward(self, x: Tensor) -> Tensor:
        scale = torch.sigmoid(self.up(F.relu(self.down(x.mean((2, 3))))))
        return x * scale[:, :, None, None]


class WeightStandardised(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        weight = weight / (weight.std((1, 2, 3), keepdim=True) + 1e-5)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


class Dynamic(nn.Module):
    """A mixture of four kernels chosen by each image, as one grouped convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels = nn.Parameter(torch.randn(4, 6, 3, 3, 3) / 5)
        self.gate, self.head = nn.Linear(3, 4), nn.Linear(6, 10)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        mix = self.gate(x.mean((2, 3))).softmax(1)
        kernels = torch.einsum("nk,kochw->nochw", mix, self.kernels).reshape(n * 6, c, 3, 3)
        out = F.conv2d(x.reshape(1, n * c, h, w), kernels, padding=1, groups=n)
        return self.head(out.reshape(n, 6, h, w).mean((2, 3)))


class Packed(nn.Module):
    """Two 4-bit weights in a byte."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("packed", torch.randint(0, 256, (10, 96), dtype=torch.uint8))
        self.scale = nn.Parameter(torch.rand(10, 1))

    def forward(self, x: Tensor) -> Tensor:
        low, high = self.packed & 15, self.packed >> 4
        weight = (torch.stack([low, high], -1).flatten(1).float() - 8) * self.scale
        return F.linear(x.flatten(1), weight)


class Versioned(nn.Module):
    _version = 2

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(192, 10)

    def _load_from_state_dict(self, state: Any, prefix: str, local_metadata: Any, *rest: Any) -> None:
        if local_metadata.get("version") is None:
            raise ValueError("no version")
        super()._load_from_state_dict(state, prefix, local_metadata, *rest)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.flatten(1))


class Hyper(nn.Module):
    """A small network makes the weights of the large layer."""

    def __init__(self) -> None:
        super().__init__()
        self.codes = nn.Parameter(torch.randn(10, 4))
        self.maker = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 192))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.flatten(1), self.maker(self.codes))


def pruned() -> nn.Module:
    module = plain()
    prune.l1_unstructured(module[0], "weight", 0.5)
    return module


def lazy() -> nn.Module:
    return nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(10))


def shared() -> nn.Module:
    block = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU())
    return nn.Sequential(block, block, block, nn.Flatten(), nn.Linear(192, 10))


def tied_transposed() -> nn.Module:
    first, last = nn.Linear(192, 16), nn.Linear(16, 192)
    last.weight = nn.Parameter(first.weight.t())
    return nn.Sequential(nn.Flatten(), first, nn.ReLU(), last, nn.Linear(192, 10))


def _loop(self: Any, x: Tensor) -> Tensor:
    for layer in self.layers:
        x = x + layer(x)
    return self.head(x.flatten(1))


def _sine(self: Any, x: Tensor) -> Tensor:
    return self.head((x.flatten(2).transpose(1, 2) + self.table).mean(1))


def _literals(self: Any, x: Tensor) -> Tensor:
    mean, mask = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.0] * 9 + [-math.inf])
    return self.head((x - mean[:, None, None]).flatten(1)) + mask


def _quantised(self: Any, x: Tensor) -> Tensor:
    scale = self.weight.abs().amax(1, keepdim=True) / 127
    weight = torch.clamp(torch.round(self.weight / scale), -128, 127).to(torch.int8)
    return F.linear(x.flatten(1), weight.to(x.dtype) * scale)


def _squeezes(self: Any, x: Tensor) -> Tensor:
    return self.head(F.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "plain": plain,
    "dropout": lambda: nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(192, 10), nn.Dropout(0.1)),
    "depthwise": lambda: nn.Sequential(
        nn.Conv2d(3, 3, 3, groups=3), nn.Conv2d(3, 8, 1), nn.ReLU6(inplace=True), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(8, 10),
    ),
    "sinc": lambda: Of(lambda s, x: s.head(torch.sinc(x).flatten(1)), head=nn.Linear(192, 10)),
    "transposed_conv": lambda: nn.Sequential(nn.ConvTranspose2d(3, 4, 3, 2), nn.Flatten(), nn.Linear(1156, 10)),
    "attention": lambda: Of(
        lambda s, x: s.head(s.mha(*[x.flatten(2).transpose(1, 2)] * 3)[0].mean(1)),
        mha=nn.MultiheadAttention(3, 3, batch_first=True), head=nn.Linear(3, 10),
    ),
    "transformer": lambda: Of(
        lambda s, x: s.head(s.encoder(x.flatten(2)).mean(1)),
        encoder=nn.TransformerEncoder(nn.TransformerEncoderLayer(64, 4, 32, batch_first=True), 1),
        head=nn.Linear(64, 10),
    ),
    "lstm": lambda: Of(
        lambda s, x: s.head(s.lstm(x.flatten(2))[0][:, -1]),
        lstm=nn.LSTM(64, 6, 2, batch_first=True, bidirectional=True, dropout=0.5), head=nn.Linear(12, 10),
    ),
    "gru": lambda: Of(
        lambda s, x: s.head(s.gru(x.flatten(2).transpose(0, 1))[1][0]), gru=nn.GRU(64, 6), head=nn.Linear(6, 10)
    ),
    "lstm_cell": lambda: Of(lambda s, x: s.cell(x.flatten(1))[0], cell=nn.LSTMCell(192, 10)),
    "pruned": pruned,
    "weight_norm": lambda: nn.Sequential(
        parametrizations.weight_norm(nn.Conv2d(3, 4, 3)), nn.Flatten(), nn.Linear(144, 10)
    ),
    "spectral_norm": lambda: nn.Sequential(
        parametrizations.spectral_norm(nn.Conv2d(3, 4, 3)), nn.Flatten(), nn.Linear(144, 10)
    ),
    "old_spectral_norm": lambda: nn.Sequential(
        nn.utils.spectral_norm(nn.Conv2d(3, 4, 3)), nn.Flatten(), nn.Linear(144, 10)
    ),
    "orthogonal": lambda: nn.Sequential(nn.Flatten(), parametrizations.orthogonal(nn.Linear(192, 10))),
    "lazy": lazy,
    "shared": shared,
    "tied_transposed": tied_transposed,
    "half": lambda: plain().half(),
    "bfloat16": lambda: plain().bfloat16(),
    "double": lambda: plain().double(),
    "quantised_by_hand": lambda: Of(_quantised, weight=nn.Parameter(torch.randn(10, 192))),
    "packed": Packed,
    "hypernetwork": Hyper,
    "squeeze_excite": lambda: nn.Sequential(SqueezeExcite(3), nn.Flatten(), nn.Linear(192, 10)),
    "pixel_shuffle": lambda: nn.Sequential(
        nn.PixelUnshuffle(2), nn.Conv2d(12, 12, 1), nn.PixelShuffle(2), nn.Flatten(), nn.Linear(192, 10)
    ),
    "einsum": lambda: Of(lambda s, x: torch.einsum("nchw,chk,wk->nk", x, s.a, s.b), a=nn.Parameter(torch.randn(3, 8, 10)),
                         b=nn.Parameter(torch.randn(8, 10))),
    "instance_norm": lambda: nn.Sequential(
        nn.InstanceNorm2d(3, affine=True, track_running_stats=True), nn.Flatten(), nn.Linear(192, 10)
    ),
    "norms": lambda: nn.Sequential(
        nn.InstanceNorm2d(3), nn.GroupNorm(3, 3), nn.LocalResponseNorm(2), nn.Flatten(), nn.LayerNorm(192),
        nn.RMSNorm(192), nn.Linear(192, 10),
    ),
    "versioned": Versioned,
    "sine_positions": lambda: Of(
        _sine, table=torch.sin(torch.arange(64)[:, None] / 10 ** torch.arange(3)), head=nn.Linear(3, 10)
    ),
    "literals": lambda: Of(_literals, head=nn.Linear(192, 10)),
    "weight_standardised": lambda: nn.Sequential(WeightStandardised(3, 4, 3), nn.Flatten(), nn.Linear(144, 10)),
    "dynamic_convolution": Dynamic,
    "module_list": lambda: Of(
        _loop, layers=nn.ModuleList(nn.Conv2d(3, 3, 3, padding=1) for _ in range(3)), head=nn.Linear(192, 10)
    ),
    "dict_output": lambda: Of(
        lambda s, x: {"features": x.flatten(1), "logits": s.head(x.flatten(1))}, head=nn.Linear(192, 10)
    ),
    "tuple_output": lambda: Of(lambda s, x: (x.mean(), s.head(x.flatten(1))), head=nn.Linear(192, 10)),
    "upsampled": lambda: nn.Sequential(
        nn.Upsample(scale_factor=2), nn.Upsample(scale_factor=1.5, mode="bilinear"), nn.AvgPool2d(2), nn.ReflectionPad2d(1),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 10),
    ),
    "shifted_windows": lambda: Of(
        lambda s, x: s.head(torch.roll(x, (1, 1), (2, 3)).unfold(2, 4, 4).unfold(3, 4, 4).mean((4, 5)).flatten(1)),
        head=nn.Linear(12, 10),
    ),
    "embedding": lambda: Of(
        lambda s, x: s.table((x.flatten(1)[:, :10] * 3).long().clamp(0, 4)).sum(-1), table=nn.Embedding(5, 3)
    ),
    "squeezes": lambda: Of(_squeezes, head=nn.Linear(3, 10)),
    "checkpointed": lambda: Of(
        lambda s, x: torch.utils.checkpoint.checkpoint(s.head, x.flatten(1), use_reentrant=False), head=nn.Linear(192, 10)
    ),
    "no_grad_inside": lambda: Of(_no_grad, head=nn.Linear(192, 10)),
    "autocast_inside": lambda: Of(_autocast, head=nn.Linear(192, 10)),
    "length_of_batch": lambda: Of(lambda s, x: s.head(x.view(len(x), -1)), head=nn.Linear(192, 10)),
    "activations": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(192, 10), nn.ELU(), nn.SELU(), nn.CELU(), nn.GELU(), nn.SiLU(inplace=True), nn.Mish(),
        nn.Softplus(), nn.Softsign(), nn.Tanhshrink(), nn.Hardswish(), nn.LogSigmoid(), nn.PReLU(), nn.RReLU(),
        nn.LeakyReLU(inplace=True), nn.Threshold(0.1, 1.0), nn.LogSoftmax(1),
    ),
}  # fmt: skip


def _no_grad(self: Any, x: Tensor) -> Tensor:
    with torch.no_grad():
        x = x.sqrt().nan_to_num()
    return self.head(x.flatten(1))


def _autocast(self: Any, x: Tensor) -> Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return self.head(x.flatten(1))


def _branches(self: Any, x: Tensor) -> Tensor:
    return self.head(x.flatten(1)) if x.sum() > 0 else self.head(-x.flatten(1))


def _counts(self: Any, x: Tensor) -> Tensor:
    self.seen.add_(1)
    return self.head(x.flatten(1)) + self.seen


# What must be refused, and words that the reason must hold.
REFUSED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "branches": (lambda: Of(_branches, head=nn.Linear(192, 10)), "depends on the values"),
    "counts": (lambda: Of(_counts, head=nn.Linear(192, 10), seen=torch.zeros(1)), "changes seen"),
    "random": (lambda: Of(lambda s, x: s.head(x.flatten(1)) + torch.rand(10), head=nn.Linear(192, 10)), "random"),
    "noise": (lambda: Of(lambda s, x: s.head((x + torch.randn_like(x)).flatten(1)), head=nn.Linear(192, 10)), "random"),
    "always_drops": (lambda: Of(lambda s, x: s.head(F.dropout(x.flatten(1))), head=nn.Linear(192, 10)), "random"),
    "numpy": (
        lambda: Of(lambda s, x: s.head(x.flatten(1)) * float(x.numpy().mean()), head=nn.Linear(192, 10)), "NumPy",
    ),
    "item": (lambda: Of(lambda s, x: s.head(x.flatten(1)) * x.mean().item(), head=nn.Linear(192, 10)), "values"),
    "nonzero": (lambda: Of(lambda s, x: s.head(x.flatten(1)) + x.nonzero().sum(), head=nn.Linear(192, 10)), "values"),
    "batch_statistics": (
        lambda: nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False), nn.Flatten(), nn.Linear(192, 10)),
        "statistics of the batch",
    ),
    "wrong_output": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(192, 9)), "expected logits"),
    "script": (lambda: torch.jit.script(nn.Sequential(nn.Flatten(), nn.Linear(192, 10))), "TorchScript"),
    "raises": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(100, 10)), "cannot be multiplied"),
}  # fmt: skip
