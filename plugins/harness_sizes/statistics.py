"""Tell running statistics that describe what is normalised from numbers that only stand in their place.

A layer that normalises nothing (zeros, one pixel a thousand times) hands its running means on as they are: weights for
which nobody asks. So the statistics are gathered again, over a few of the graded images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.api import Images, Student, SubmissionError, TracedNetwork
from harness.api.graphs import normalisation_statistics
from harness.api.weights import stored_tensors

if TYPE_CHECKING:
    from torch import Tensor

FEW = 256
"""Statistics that are not worth a pass."""
MOST_PER_NUMBER = 0.3
"""Running statistics per learned number. BatchNorm after each depthwise layer of nine weights gives a fifth."""
_IMAGES = 64
_DEVIATIONS = 4
"""Distance of a running mean from the mean, in standard deviations of what is normalised."""
_TIMES = 64
"""Ratio of a running variance to the variance."""
_EPSILON = 1e-5


def many_in_file(student: Student) -> int:
    """Running statistics in the weights file where they are more than normalising takes; else 0.

    What code on every image does with them nobody can tell.
    """
    stored = stored_tensors(student.decoded, student.facts.aliases)
    running = {name: each for name, each in student.decoded.items() if name.endswith(("running_mean", "running_var"))}
    found = sum(each.numel() for name, each in running.items() if name not in stored)
    learned = sum(each.numel() for each in stored.values())
    return found if found > max(FEW, MOST_PER_NUMBER * learned) else 0


def strays(student: Student, traced: TracedNetwork, images: Images) -> int:
    """Running statistics that are far from those of `images`; all of them where none can be gathered.

    A layer whose statistics are all the same (0 and 1: never updated) holds nothing. One forward pass of 64 images.
    """
    graph = traced.graph
    names = normalisation_statistics(graph)
    aliases = {name: (name, *graph.tensors[name].aliases) for name in names}
    own = {each: student.weights[each] for every in aliases.values() for each in every if each in student.weights}
    try:
        found = student.recalibrated(replace(images, pixels=images.pixels[:_IMAGES]))
    except SubmissionError:
        return sum(each.numel() for each in own.values())
    return sum(_far(name, own, found) for name in own)


def _far(name: str, own: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> int:
    held, (prefix, _, last) = own[name].float(), name.rpartition("running_")
    variance = f"{prefix}running_var"
    if held.numel() == 0 or bool((held == held.flatten()[0]).all()):
        return 0
    if variance not in own or name not in found:
        return held.numel()
    seen = found[variance].float()
    if last == "mean":
        allowed = _DEVIATIONS * seen.sqrt() + own[variance].float().clamp(min=0).sqrt() / 100
        return int(((held - found[name].float()).abs() > allowed).sum())
    wide, narrow = held + _EPSILON, seen + _EPSILON
    return int(((wide > _TIMES * narrow) | (narrow > _TIMES * wide)).sum())
