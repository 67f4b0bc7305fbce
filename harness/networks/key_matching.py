"""Match the keys of a state_dict in a weights file to those of the model, or say exactly how they differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from harness.errors import SubmissionError

if TYPE_CHECKING:
    from torch import Tensor

Shapes = Mapping[str, tuple[int, ...]]

_WRAPPERS = ("module.", "_orig_mod.")
_PROFILER = ("total_ops", "total_params")
_STATISTICS = ("running_mean", "running_var")
_MAX_NAMES_SHOWN = 3


def match_keys(
    tensors: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]]
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Rename the tensors as the model calls them, by dropping or adding a common prefix.

    A pruned pair `x_orig` and `x_mask` satisfies an expected `x`, and the other way round; neither is changed.
    A missing `num_batches_tracked` is fine: older versions of torch did not have it.

    Args:
        expected: names and shapes of the model's state_dict.

    Returns:
        The renamed tensors, in their order, and notes on what was changed.

    Raises:
        SubmissionError: no prefix makes them match; the first differences and a likely cause are listed.
    """
    kept, notes = _without_extras(tensors, expected)
    best: tuple[int, dict[str, str], list[str]] | None = None
    for renamed, note in _renamings(list(kept), list(expected)):
        shapes = {new: tuple(kept[old].shape) for old, new in renamed.items()}
        problems = _problems(shapes, expected)
        if not problems:
            found = {renamed[old]: each for old, each in kept.items()}
            return _reshaped(found, expected), (*notes, *note, *_old_statistics(found, expected))
        if best is None or len(problems) < best[0]:
            best = (len(problems), renamed, problems)
    assert best is not None
    shapes = {new: tuple(kept[old].shape) for old, new in best[1].items()}
    raise _mismatch(shapes, expected, best[2])


def _without_extras(tensors: Mapping[str, Tensor], expected: Shapes) -> tuple[dict[str, Tensor], list[str]]:
    """Leave out what profilers (thop) leave in a state_dict."""
    extra = [
        name for name in tensors if name.rpartition(".")[2] in _PROFILER and name not in expected
        and tensors[name].numel() <= 1
    ]  # fmt: skip
    notes = [f"ignored {len(extra)} tensors left by a profiler, such as {extra[0]!r}"] if extra else []
    return {name: each for name, each in tensors.items() if name not in extra}, notes


def _renamings(names: list[str], expected: list[str]) -> Iterator[tuple[dict[str, str], tuple[str, ...]]]:
    yield {name: name for name in names}, ()
    for wrapper in _WRAPPERS:
        inner = {name: f".{name}".replace(f".{wrapper}", ".").removeprefix(".") for name in names}
        if any(old != new for old, new in inner.items()) and _distinct(inner):
            yield inner, (f"names in the weights file carry {wrapper!r}; it was dropped",)
    bare = {name: f".{name}".replace(".module.", ".").replace("._orig_mod.", ".").removeprefix(".") for name in names}
    for start, note in ((dict(zip(names, names, strict=True)), ""), (bare, "wrappers and ")):
        if not _distinct(start):
            continue
        for prefix in _common_prefixes(start.values()):
            cut = {old: new.removeprefix(prefix) for old, new in start.items()}
            yield cut, (f"{note}the prefix {prefix!r} of all names in the weights file was dropped",)
        for prefix in _common_prefixes(expected):
            longer = {old: prefix + new for old, new in start.items()}
            yield longer, (f"the prefix {prefix!r} was added to all names in the weights file",)


def _distinct(renamed: Mapping[str, str]) -> bool:
    return len(set(renamed.values())) == len(renamed)


def _common_prefixes(names: Iterable[str]) -> list[str]:
    """Dotted prefixes that all names share, shortest first: of a.b.c and a.b.d 'a.' and 'a.b.'."""
    split = [name.split(".")[:-1] for name in names]
    prefixes = []
    for depth in range(1, min(map(len, split), default=0) + 1):
        if any(each[:depth] != split[0][:depth] for each in split):
            break
        prefixes.append(".".join(split[0][:depth]) + ".")
    return prefixes


def _problems(shapes: Shapes, expected: Shapes) -> list[str]:
    given, wanted = _unpruned(shapes), _unpruned(expected)
    problems = [
        f"{name}: the file has {list(given[name])}, the model {list(shape)}"
        for name, shape in wanted.items()
        if name in given and given[name] != shape and not (_single(given[name]) and _single(shape))
    ]
    problems += [
        f"{name} {list(shape)} is missing from the file"
        for name, shape in wanted.items()
        if name not in given and not name.endswith("num_batches_tracked")
    ]
    problems += [
        f"{name} {list(shape)} is unknown to the model"
        for name, shape in given.items()
        if name not in wanted and not name.endswith("num_batches_tracked")
    ]
    return problems


def _unpruned(shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """Shapes with each pair `x_orig`, `x_mask` under the one name `x`."""
    pairs = {name[:-5] for name in shapes if name.endswith("_orig") and f"{name[:-5]}_mask" in shapes}
    plain = {}
    for name, shape in shapes.items():
        base = name[:-5] if name.endswith(("_orig", "_mask")) else name
        plain[base if base in pairs else name] = shape
    return plain


def _single(shape: tuple[int, ...]) -> bool:
    return all(size == 1 for size in shape)


def _reshaped(tensors: dict[str, Tensor], expected: Shapes) -> dict[str, Tensor]:
    """One-element tensors in the model's shape: 0-dim ones are often stored as [1]."""
    return {
        name: each.reshape(expected[name]) if name in expected and each.numel() == 1 else each
        for name, each in tensors.items()
        if name in expected or not name.endswith("num_batches_tracked")
    }


def _old_statistics(tensors: Mapping[str, Tensor], expected: Shapes) -> list[str]:
    missing = [name for name in expected if name.endswith("num_batches_tracked") and name not in tensors]
    return [f"{len(missing)} num_batches_tracked are missing; they do not matter in evaluation"] if missing else []


def _mismatch(shapes: Shapes, expected: Shapes, problems: list[str]) -> SubmissionError:
    kinds = [
        [each for each in problems if each.endswith(("from the file", "to the model")) == part and marked in each]
        for part, marked in ((False, ""), (True, "from the file"), (True, "to the model"))
    ]
    shown = [each for kind in kinds for each in kind[:_MAX_NAMES_SHOWN]]
    more = f"\n  … and {len(problems) - len(shown)} more" if len(problems) > len(shown) else ""
    listed = "".join(f"\n  {each}" for each in shown)
    reason = f"the weights do not fit the model: {len(problems)} differences{listed}{more}"
    return SubmissionError("rejected", reason, _cause(shapes, expected))


def _cause(shapes: Shapes, expected: Shapes) -> str:
    """The likeliest explanation: the first that holds."""
    given, wanted = _unpruned(shapes), _unpruned(expected)
    missing = [name for name in wanted if name not in given and not name.endswith("num_batches_tracked")]
    unknown = [name for name in given if name not in wanted and not name.endswith("num_batches_tracked")]
    causes = {
        "the file was saved from a quantised model: save the state_dict of the plain one": any(
            "_packed_params" in name or name.endswith(".zero_point") for name in given
        ),
        "same layers, other widths: the file was saved from the model with other arguments or channel numbers": (
            not missing and not unknown
        ),
        "BatchNorm statistics are missing: save model.state_dict(), not only model.parameters()": (
            not unknown and all(name.endswith(_STATISTICS) for name in missing)
        ),
        "same shapes under other names: the class's attributes were renamed after training, or it is another class": (
            list(given.values()) == list(wanted.values())
        ),
        "the file holds only a part of the model: save model.state_dict() of the whole": not unknown,
        "the file holds more layers than the model: it was saved from a larger or another version": not missing,
        "most names fit: the file was saved from another version of this class": (
            2 * len(set(given) & set(wanted)) >= len(wanted)
        ),
        "another class: is this the teacher's file or an earlier model's? See entry_point in submission.toml": True,
    }
    return next(text for text, holds in causes.items() if holds)
