"""Match the keys of a state_dict in a weights file to those of the model, or say exactly how they differ."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import SubmissionError
from harness.networks.differences import Shapes, differences, mismatch, of_one_element, unpruned

if TYPE_CHECKING:
    from torch import Tensor

Tied = Sequence[Sequence[str]]

_WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
_PROFILER = ("total_ops", "total_params")
_MAX_NAMES_SHOWN = 3
_MAX_PREFIXES = 64
_MOST_COMPARED, _FEWEST_READINGS = 300_000, 12
"""Names in all readings together: prefixes by the dozen are for files of some hundred names."""
_MAX_NAME = 60
_BESIDE = re.compile(
    r"(?:.*_)?(?:loss(?:es)?|loss_?f(?:n|unc(?:tion)?)?|criterion|criteria|crit|teachers?|metrics?|acc(?:uracy)?)(?:_.*|\d+)?|"
    r"teacher(?:_?net|_?model)?|t_?net|(?:kd|ce|kl|distill?)(?:_?loss)?|discriminator|"
    r"ema(?:_model)?|model_ema|swa(?:_model)?",
    re.IGNORECASE,
)
"""What stands beside the network in a training module: losses, teachers, metrics, averages."""
_PARTS = (
    *("student", "student_model", "student_net", "model_student", "net_student", "s_net", "snet", "model", "net"),
    *("network", "ema_model", "model_ema", "ema", "averaged_model", "swa_model", "module", "backbone", "online_model"),
)
"""Names of the part to be graded, where several fit; the first counts."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """One way to take the names of a file: those of the file that are used -> those of the model."""

    renamed: Mapping[str, str]
    notes: tuple[str, ...] = ()
    part: str | None = None
    """The prefix of the sub-tree that was taken."""


def match_keys(
    tensors: Mapping[str, Tensor], expected: Shapes, tied: Tied = ()
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Rename the tensors as the model calls them: wrappers and prefixes are dropped or added.

    A pruned pair `x_orig` and `x_mask` satisfies an expected `x`, and the other way round; neither is changed.
    A missing `num_batches_tracked` is fine: older versions of torch did not have it. What a training module holds
    beside the network is left out, and said.

    Args:
        expected: names and shapes of the model's state_dict.
        tied: groups of its names that are one tensor: a file need hold only one of them.

    Returns:
        The renamed tensors, in their order, and notes on what was changed.

    Raises:
        Mismatch: no reading makes them match; the first differences and a likely cause are listed.
        SubmissionError: several parts of the file would match.
    """
    kept, notes = _without_extras(tensors, expected)
    best: tuple[int, _Reading, list[str]] | None = None
    parts: list[_Reading] = []
    for reading in _few_readings(kept, expected):
        if parts and reading.part is None:
            break
        problems = differences(_shapes_under(kept, reading.renamed, expected, tied), expected)
        if not problems:
            if reading.part is None:
                return _taken(kept, reading, expected, tied, notes)
            parts.append(reading)
        elif best is None or len(problems) < best[0]:
            best = (len(problems), reading, problems)
    if parts:
        return _taken(kept, _only_part(kept, parts), expected, tied, notes)
    assert best is not None
    raise mismatch(_shapes_under(kept, best[1].renamed, expected, tied), expected, best[2])


def stands_beside(name: str) -> bool:
    """Whether a tensor's path says that it belongs to a loss, a teacher or a metric."""
    return any(_BESIDE.fullmatch(each) for each in name.split("."))


def closest(tensors: Mapping[str, Tensor], expected: Shapes, tied: Tied = ()) -> dict[str, str]:
    """The reading with the fewest differences: names of the file -> names that are next to the model's."""
    kept, _ = _without_extras(tensors, expected)
    readings = list(_few_readings(kept, expected))
    count = [len(differences(_shapes_under(kept, each.renamed, expected, tied), expected)) for each in readings]
    return dict(readings[count.index(min(count))].renamed)


def _taken(
    kept: Mapping[str, Tensor], reading: _Reading, expected: Shapes, tied: Tied, notes: list[str]
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    found = _reshaped({new: kept[old] for old, new in reading.renamed.items()}, expected)
    second = _tied_names({name: tuple(each.shape) for name, each in found.items()}, expected, tied)
    found |= {name: found[first] for name, first in second.items()}
    said = [f"{name!r} is not in the file: the network ties it to {first!r}" for name, first in second.items()][:3]
    return found, (*notes, *reading.notes, *said, *_old_statistics(found, expected))


def _only_part(kept: Mapping[str, Tensor], parts: list[_Reading]) -> _Reading:
    """The part of a file that is the network, where one fits or one is called so.

    Raises:
        SubmissionError: several fit, and none has a name that says it is the one.
    """
    import torch

    if len(parts) == 1:
        return parts[0]
    by_rank = sorted(parts, key=lambda each: _rank(each.part or ""))
    first, *others = by_rank
    values = [{new: kept[old] for old, new in each.renamed.items()} for each in by_rank]
    same = all(
        each.keys() == values[0].keys() and all(torch.equal(each[name], values[0][name]) for name in each)
        for each in values
    )
    if not same and _rank(first.part or "") == _rank(others[0].part or ""):
        named = ", ".join(repr(each.part) for each in by_rank[:5])
        raise SubmissionError(
            "rejected",
            f"{len(parts)} parts of the weights file fit the network: {named}",
            "save only the one to be graded, e.g. torch.save(trained.model.state_dict(), 'weights.pt')",
        )
    also = ", ".join(repr(each.part) for each in others[:3])
    return _Reading(first.renamed, (*first.notes, f"{also} of the weights file would fit as well"), first.part)


def _rank(prefix: str) -> int:
    last = prefix.rstrip(".").rpartition(".")[2].lower()
    return _PARTS.index(last) if last in _PARTS else len(_PARTS) + bool(_BESIDE.fullmatch(last))


def _without_extras(tensors: Mapping[str, Tensor], expected: Shapes) -> tuple[dict[str, Tensor], list[str]]:
    """Leave out what profilers (thop) and averaging (AveragedModel) leave in a state_dict."""
    notes = []
    extra: set[str] = set()
    for last, whose in ((_PROFILER, "a profiler"), (("n_averaged",), "averaging (AveragedModel)")):
        found = [
            name for name, each in tensors.items()
            if name.rpartition(".")[2] in last and name not in expected and each.numel() <= 1
        ]  # fmt: skip
        notes += [f"ignored {len(found)} tensors left by {whose}, such as {found[0]!r}"] if found else []
        extra |= set(found)
    return {name: each for name, each in tensors.items() if name not in extra}, notes


def _few_readings(kept: Mapping[str, Tensor], expected: Shapes) -> Iterator[_Reading]:
    """As many readings as take a second or two: names are a student's, and the grader compares them."""
    most = max(_FEWEST_READINGS, _MOST_COMPARED // (len(kept) + len(expected) + 1))
    return itertools.islice(_readings(kept, expected), most)


def _readings(kept: Mapping[str, Tensor], expected: Shapes) -> Iterator[_Reading]:
    """Ways to read the names, whole files first, then parts of them."""
    names = list(kept)
    for renamed, notes in _renamings(names, list(expected)):
        yield _Reading(renamed, notes)
    tops = {name.partition(".")[0] for name in expected}
    bare = {name: _bare(name) for name in names}
    same = {name: name for name in names}
    for start in (same, bare) if _distinct(bare) and bare != same else (same,):
        for prefix in _inner_prefixes(start.values(), expected):
            inside = {old: new.removeprefix(prefix) for old, new in start.items() if new.startswith(prefix)}
            beside = [old for old, new in inside.items() if _stands_beside(new, tops)]
            used = {old: new for old, new in inside.items() if old not in beside}
            left = [name for name in names if name not in used]
            if used and left:
                what = f"{prefix!r} of the weights file was taken" if prefix else "the network was taken"
                yield _Reading(used, (f"{what}; left out: {_listed(left)}",), prefix)


def _stands_beside(name: str, tops: set[str]) -> bool:
    top = name.partition(".")[0]
    return top not in tops and len(top) <= _MAX_NAME and bool(_BESIDE.fullmatch(top))


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MAX_NAMES_SHOWN} more" if len(names) > _MAX_NAMES_SHOWN else ""
    return ", ".join(each[:_MAX_NAME] for each in names[:_MAX_NAMES_SHOWN]) + more


def _inner_prefixes(names: Iterable[str], expected: Shapes) -> list[str]:
    """Where in the file the model's first name stands, '' included."""
    first = next((name for name in unpruned(expected) if not name.endswith("num_batches_tracked")), "")
    plain = unpruned(dict.fromkeys(names, ()))
    found = [name.removesuffix(first) for name in plain if name == first or name.endswith(f".{first}")]
    return found[:_MAX_PREFIXES]


def _renamings(names: list[str], expected: list[str]) -> Iterator[tuple[dict[str, str], tuple[str, ...]]]:
    yield {name: name for name in names}, ()
    for wrapper in _WRAPPERS:
        inner = {name: _without(name, (wrapper,)) for name in names}
        if any(old != new for old, new in inner.items()) and _distinct(inner):
            yield inner, (f"names in the weights file carry '{wrapper}.'; it was dropped",)
    bare = {name: _bare(name) for name in names}
    as_model = _as_in(expected, bare)
    if any(old != new for old, new in as_model.items()) and _distinct(as_model):
        present = [each for each in _WRAPPERS if any(each in name.split(".") for name in (*names, *expected))]
        yield (
            as_model,
            (f"{' and '.join(map(repr, present))} in names, of the file or the network, do not count",),
        )
    for start, note in ((dict(zip(names, names, strict=True)), ""), (bare, "wrappers and ")):
        if not _distinct(start):
            continue
        for prefix in _common_prefixes(start.values()):
            cut = {old: new.removeprefix(prefix) for old, new in start.items()}
            yield cut, (f"{note}the prefix {prefix!r} of all names in the weights file was dropped",)
        for prefix in _common_prefixes(expected):
            longer = {old: prefix + new for old, new in start.items()}
            yield longer, (f"the prefix {prefix!r} was added to all names in the weights file",)


def _bare(name: str) -> str:
    return _without(name, _WRAPPERS)


def _without(name: str, wrappers: Iterable[str]) -> str:
    """The name without these parts of it; its last part stays."""
    *path, last = name.split(".")
    return ".".join([*(each for each in path if each not in wrappers), last])


def _as_in(expected: list[str], bare: Mapping[str, str]) -> dict[str, str]:
    """Names without wrappers, with those that the model itself has."""
    full = {_bare(name): name for name in expected}
    if len(full) < len(expected):
        return dict(bare)
    owners = {short.rpartition(".")[0]: name.rpartition(".")[0] for short, name in full.items()}

    def named(short: str) -> str:
        path, dot, last = short.rpartition(".")
        return full.get(short, f"{owners.get(path, path)}{dot}{last}")

    return {old: named(short) for old, short in bare.items()}


def _distinct(renamed: Mapping[str, str]) -> bool:
    return len(set(renamed.values())) == len(renamed)


def _shapes_under(
    kept: Mapping[str, Tensor], renamed: Mapping[str, str], expected: Shapes, tied: Tied
) -> dict[str, tuple[int, ...]]:
    shapes = {new: tuple(kept[old].shape) for old, new in renamed.items()}
    return shapes | {name: shapes[first] for name, first in _tied_names(shapes, expected, tied).items()}


def _tied_names(shapes: Shapes, expected: Shapes, tied: Tied) -> dict[str, str]:
    """Names that the file lacks -> those it has, of the same tensor in the model."""
    missing: dict[str, str] = {}
    for group in tied:
        first = next((name for name in group if name in shapes), None)
        if first is not None:
            missing |= {
                name: first for name in group if name not in shapes and expected.get(name) == expected.get(first)
            }
    return missing


def _common_prefixes(names: Iterable[str]) -> list[str]:
    """Dotted prefixes that all names share, shortest first: of a.b.c and a.b.d 'a.' and 'a.b.'."""
    paths = [name.split(".")[:-1] for name in names]
    if not paths:
        return []
    # What the first and the last in order share, all between them share.
    pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(min(paths), max(paths), strict=False))
    return list(itertools.accumulate(f"{part}." for part, _ in pairs))


def _reshaped(tensors: dict[str, Tensor], expected: Shapes) -> dict[str, Tensor]:
    """One-element tensors in the model's shape: 0-dim ones are often stored as [1]."""
    single = {name for name, shape in expected.items() if of_one_element(shape)}
    return {
        name: each.reshape(expected[name]) if name in single and each.numel() == 1 else each
        for name, each in tensors.items()
        if name in expected or not name.endswith("num_batches_tracked")
    }


def _old_statistics(tensors: Mapping[str, Tensor], expected: Shapes) -> list[str]:
    missing = [name for name in expected if name.endswith("num_batches_tracked") and name not in tensors]
    return [f"{len(missing)} num_batches_tracked are missing; they do not matter in evaluation"] if missing else []
