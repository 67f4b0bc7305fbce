"""What was verified of a network that is measured as a graph, and what stands outside of that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness_sizes.statistics import FEW, MOST_PER_NUMBER, strays

from harness.api import Check, Images, Student, TracedNetwork
from harness.api.graphs import GraphCounts, counts
from harness_integrity.counts import padding

NAME = "integrity_verified"
_SHARE_TO_LOOK_AT = 0.05
"""Running statistics per learned number from which on they are gathered again."""
_MAX_NAMES_SHOWN = 3


def verified_check(student: Student, traced: TracedNetwork, images: Images) -> Check:
    """Tell what its graph holds; a finding where more numbers than usual are not counted.

    Its code ran once, to be traced, and saw no image: that answers depend on the image alone and on the tensors that
    are counted needs no probe. Where statistics are many, 64 of the images tell whether they are any.
    """
    found = counts(traced, student.weights, student.masks)
    far = strays(student, traced, images) if found.statistics > max(FEW, _SHARE_TO_LOOK_AT * found.stored) else 0
    findings = [*_many_statistics(found), *_far_statistics(far), *padding(student)]
    if findings:
        return Check.failed(
            NAME,
            f"{' '.join(findings)} Such numbers are not counted, and may hold weights; they are also made by accident: "
            "this does not say that it was meant.",
            "look at what the network does with them",
        )
    operators = student.verification.operators
    parts = [f"a graph of {operators} different operators, {found.stored:,} learned numbers"]
    parts += [f"{found.statistics:,} running statistics"] if found.statistics else []
    parts += [f"not learned: {_listed(found.constructed)}"] if found.constructed else []
    parts += [f"outside of parameters: {_listed(found.hidden)}"] if found.hidden else []
    parts += [f"several numbers in one element of {_listed(found.packed)}"] if found.packed else []
    return Check.passed(NAME, "; ".join(parts))


def _many_statistics(found: GraphCounts) -> Iterator[str]:
    if found.statistics > MOST_PER_NUMBER * found.stored:
        yield f"There are {found.statistics:,} running statistics for {found.stored:,} learned numbers."


def _far_statistics(far: int) -> Iterator[str]:
    if far > FEW:
        yield f"{far:,} running statistics are far from what the images give where they stand."


def _listed(sizes: Mapping[str, float]) -> str:
    largest = sorted(sizes, key=lambda name: -sizes[name])
    shown = ", ".join(f"{name[:60]!r} {sizes[name]:,.0f}" for name in largest[:_MAX_NAMES_SHOWN])
    return shown + (f" and {len(largest) - _MAX_NAMES_SHOWN} more" if len(largest) > _MAX_NAMES_SHOWN else "")
