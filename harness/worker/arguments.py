"""Find the arguments of a class that explain the shapes in a weights file: `width = 12` where the default is 8."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

Shapes = Mapping[str, tuple[int, ...]]

_MAX_ROUNDS = 4
_MAX_BUILDS = 600
_MAX_VALUES = 80
_MAX_SIZE = 8192
_FRACTIONS = (0.25, 0.35, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
_GUESSED_WIDTH = 16


def arguments_for(
    make: Callable[..., Any],
    usual: Mapping[str, Any],
    shapes: Shapes,
    *,
    channels: int,
    classes: int,
    until: float,
) -> dict[str, Any] | None:
    """Arguments beside the usual ones with which `make()` has exactly these shapes; None where none were found.

    Numbers, switches and lists of numbers are tried, one after the other; whatever needs more is not explained.

    Args:
        until: when to give up, by `time.monotonic`.
    """
    parameters = _tunable(make, usual)
    if parameters is None:
        return None
    required = {name for name, each in parameters.items() if each is inspect.Parameter.empty}
    start = {name: _guess(name, channels, classes) if name in required else each for name, each in parameters.items()}
    return _Search(make, usual, plain_shapes(shapes), until).found(start, required)


class _Search:
    def __init__(self, make: Callable[..., Any], usual: Mapping[str, Any], shapes: Shapes, until: float) -> None:
        self._make, self._usual, self._shapes, self._until = make, usual, shapes, until
        self._builds = 0

    def found(self, start: dict[str, Any], required: set[str]) -> dict[str, Any] | None:
        """Better values, one argument at a time, until all shapes are explained or nothing gets better."""
        values, best, built = start, *self._differences({name: start[name] for name in required})
        if best == 0 and not required:
            return None
        for _ in range(_MAX_ROUNDS):
            if best == 0:
                break
            better = None
            for name, value in values.items():
                for tried in _values(value, self._shapes, built):
                    if tried == value or self._builds > _MAX_BUILDS or time.monotonic() > self._until:
                        continue
                    changed = {**values, name: tried}
                    count, now = self._differences(self._needed(changed, start, required))
                    if count is not None and (best is None or count < best):
                        best, better, better_built = count, changed, now
                    if count == 0:
                        return self._needed(changed, start, required)
            if better is None:
                return None
            values, built = better, better_built
        return self._needed(values, start, required) if best == 0 else None

    @staticmethod
    def _needed(values: Mapping[str, Any], start: Mapping[str, Any], required: set[str]) -> dict[str, Any]:
        return {name: each for name, each in values.items() if name in required or each != start[name]}

    def _differences(self, arguments: Mapping[str, Any]) -> tuple[int | None, Shapes]:
        """How many tensors do not fit; None where it cannot be built."""
        self._builds += 1
        state = self._state(arguments)
        if state is None:
            return None, {}
        plain = plain_shapes(state)
        return len(set(plain.items()) ^ set(self._shapes.items())), plain

    def _state(self, arguments: Mapping[str, Any]) -> Shapes | None:
        for device in ("meta", "cpu"):  # without memory; some networks compute something while they are built
            try:
                with torch.device(device):
                    made = self._make(**{**self._usual, **arguments})
                if isinstance(made, tuple | list):
                    made = next(each for each in made if isinstance(each, nn.Module))
                return {name: tuple(each.shape) for name, each in nn.Module.state_dict(made).items()}
            except BaseException:  # noqa: BLE001, S112 - whatever a student's class raises for such arguments
                continue
        return None


def _tunable(make: Callable[..., Any], usual: Mapping[str, Any]) -> dict[str, Any] | None:
    """Parameters that are numbers, switches or lists of numbers, with their defaults; None without a signature."""
    try:
        parameters = inspect.signature(make).parameters.values()
    except (TypeError, ValueError):
        return None
    found: dict[str, Any] = {}
    for each in parameters:
        if each.kind in {each.VAR_POSITIONAL, each.VAR_KEYWORD}:
            continue
        value = usual.get(each.name, each.default)
        if each.kind is each.POSITIONAL_ONLY and value is each.empty:
            return None
        if value is each.empty or isinstance(value, bool | int | float) or _numbers(value):
            found[each.name] = value
    return found


def _guess(name: str, channels: int, classes: int) -> int:
    name = name.casefold()
    if "class" in name or name in {"num_labels", "out_dim", "output_dim", "n_out", "out_features"}:
        return classes
    return channels if "in_c" in name or name in {"channels", "input_channels", "n_in", "ch_in"} else _GUESSED_WIDTH


def _numbers(value: Any) -> bool:
    return isinstance(value, list | tuple) and 0 < len(value) <= 64 and all(type(each) is int for each in value)


def _values(value: Any, shapes: Shapes, built: Shapes) -> Iterator[Any]:
    """What an argument may be instead, the likeliest first."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from list(dict.fromkeys(_integers(value, shapes, built)))[:_MAX_VALUES]
    elif isinstance(value, float):
        ratios = [round(value * given / had, 6) for given, had in _pairs(shapes, built) if had]
        yield from list(dict.fromkeys([*ratios, *_FRACTIONS]))[:_MAX_VALUES]
    else:
        yield from _lists(value, shapes)


def _integers(value: int, shapes: Shapes, built: Shapes) -> Iterator[int]:
    for given, had in _pairs(shapes, built):
        if had and (value * given) % had == 0 and 0 < value * given // had <= _MAX_SIZE:
            yield value * given // had
    sizes = sorted({size for shape in shapes.values() for size in shape if 0 < size <= _MAX_SIZE})
    yield from sizes
    yield from range(1, 17)
    for part in (2, 3, 4, 6, 8):
        yield from (size // part for size in sizes if size % part == 0)


def _lists(value: Any, shapes: Shapes) -> Iterator[Any]:
    """All widths at once, as the file has them; or one other number."""
    kind = type(value)
    outputs = [shape[0] for shape in shapes.values() if len(shape) == 4] or [
        shape[0] for shape in shapes.values() if len(shape) == 2
    ]
    distinct = [each for at, each in enumerate(outputs) if at == 0 or each != outputs[at - 1]]
    for start in ([], [value[0]]):
        for widths in (outputs, distinct):
            yield kind([*start, *widths])
            yield kind([*start, *widths][: len(value)])
    sizes = sorted({size for shape in shapes.values() for size in shape if 0 < size <= _MAX_SIZE})[:40]
    for at in range(len(value)):
        yield from (kind([*value[:at], size, *value[at + 1 :]]) for size in sizes)


def _pairs(shapes: Shapes, built: Shapes) -> list[tuple[int, int]]:
    """(size in the file, size as built) where both differ."""
    return [
        (given, had)
        for name, shape in shapes.items()
        if len(built.get(name, ())) == len(shape)
        for given, had in zip(shape, built.get(name, ()), strict=True)
        if given != had
    ]


def plain_shapes(shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """Names without wrappers, a prefix that all share, step counters and pruning masks."""
    found = {}
    for name, shape in shapes.items():
        short = f".{name}".replace(".module.", ".").replace("._orig_mod.", ".").removeprefix(".")
        if short.endswith("num_batches_tracked") or (short.endswith("_mask") and f"{name[:-5]}_orig" in shapes):
            continue
        masked = short.endswith("_orig") and f"{name[:-5]}_mask" in shapes
        found[short[:-5] if masked else short] = tuple(shape)
    firsts = {name.split(".")[0] for name in found}
    if len(firsts) == 1 and all("." in name for name in found):
        return plain_shapes({name.partition(".")[2]: shape for name, shape in found.items()})
    return found
