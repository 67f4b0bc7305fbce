"""The arguments that explain a weights file, found again from its shapes alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from torch import nn

from harness.worker.arguments import arguments_for


class Wide(nn.Module):
    def __init__(self, width=8, classes=11, dropout=0.1):
        super().__init__()
        self.f = nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.Conv2d(width, 4 * width, 1))
        self.fc = nn.Linear(4 * width, classes)


class Scaled(nn.Module):
    def __init__(self, width_mult=1.0):
        super().__init__()
        self.conv = nn.Conv2d(3, int(32 * width_mult), 3)
        self.fc = nn.Linear(int(32 * width_mult), 11)


class Listed(nn.Module):
    def __init__(self, widths=(16, 32, 64), bias=True):
        super().__init__()
        ins = (3, *widths)
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, bias=bias) for a, b in zip(ins, widths, strict=False))


class Deep(nn.Module):
    def __init__(self, base=16, depth=2):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(base, base) for _ in range(depth))
        self.hidden = nn.Linear(base, 2 * base)


class Needing(nn.Module):
    def __init__(self, in_channels, width, num_classes):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, width, 3)
        self.fc = nn.Linear(width, num_classes)


class Reading(Wide):
    """Looks at a value while it is built, which the meta device has not."""

    def __init__(self, width=8):
        super().__init__(width)
        assert float(self.fc.weight.detach().sum()) < 1e9


CASES: list[tuple[Callable[..., nn.Module], dict[str, Any]]] = [
    (Wide, {"width": 12}),
    (Wide, {"width": 13, "classes": 10}),
    (Scaled, {"width_mult": 0.75}),
    (Scaled, {"width_mult": 1.5}),
    (Listed, {"widths": (11, 22, 45)}),
    (Listed, {"widths": (12, 24), "bias": False}),
    (Deep, {"base": 20}),
    (Deep, {"depth": 5}),
    (Deep, {"base": 24, "depth": 3}),
    (Needing, {"in_channels": 3, "width": 20, "num_classes": 11}),
    (Reading, {"width": 12}),
    (lambda c=8: Wide(c), {"c": 12}),
    (lambda c=8: (Wide(c), None), {"c": 12}),
]


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize(("make", "arguments"), CASES)
def test_arguments_are_found_again(make: Callable[..., Any], arguments: dict[str, Any], prefix: str) -> None:
    made = make(**arguments)
    module = made[0] if isinstance(made, tuple) else made
    shapes = {prefix + name: tuple(each.shape) for name, each in module.state_dict().items()}
    found = arguments_for(make, {}, shapes, channels=3, classes=11, until=time.monotonic() + 20)
    assert found == arguments


def test_what_no_argument_explains_is_not_explained() -> None:
    shapes = {"conv.weight": (7, 3, 5, 5), "other": (2,)}
    assert arguments_for(Wide, {}, shapes, channels=3, classes=11, until=time.monotonic() + 20) is None


def test_the_usual_arguments_need_no_explanation() -> None:
    shapes = {name: tuple(each.shape) for name, each in Wide(12).state_dict().items()}
    assert arguments_for(Wide, {"width": 12}, shapes, channels=3, classes=11, until=time.monotonic() + 20) is None
