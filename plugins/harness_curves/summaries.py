"""Summarise a curve of accuracy against size in a few numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from harness.api import Metric, MetricSpec

Points = Sequence[tuple[float, float]]

AREA = MetricSpec("pruning_auc", unit="fraction", higher_is_better=True, title="area under the pruning curve")
WITHIN = {
    limit: MetricSpec(
        f"compression_within_{limit}pp",
        unit="times",
        higher_is_better=True,
        title=f"compression within {limit} {'point' if limit == 1 else 'points'} of accuracy",
    )
    for limit in (1, 2)
}
"""By how many percentage points accuracy may fall."""
KNEE = MetricSpec("compression_at_knee", unit="times", higher_is_better=True, title="compression at the knee")
SUMMARIES = (AREA, *WITHIN.values(), KNEE)


def summaries(points: Points) -> dict[str, Metric]:
    """The curve in four numbers; compression is the first point's x over that of another.

    Args:
        points: (parameters, accuracy), the network as handed in first. Points without any parameters are left out.
    """
    dense, reached = points[0]
    curve = sorted((dense / x, y) for x, y in points if x)
    found = {
        # In hundredths of a point, so that exactly one point is within one point.
        spec.name: spec.of(max(ratio for ratio, y in curve if round((reached - y) * 1e4, 6) <= limit * 100))
        for limit, spec in WITHIN.items()
    }
    range_doublings = math.log2(curve[-1][0] / curve[0][0])
    if range_doublings > 0:
        area = sum((a + b) / 2 * math.log2(right / left) for (left, a), (right, b) in pairwise(curve))
        found[AREA.name] = AREA.of(area / range_doublings)
    knee = _knee(curve)
    return found if knee is None else found | {KNEE.name: KNEE.of(knee)}


def _knee(curve: Points) -> float | None:
    """Where a falling curve turns from flat to steep: its point farthest above the straight line between its ends.

    Over log2 of the compression, as Kneedle defines it (Satopää et al. 2011, doi:10.1109/ICDCSW.2011.20). None where no
    point lies above the line, or the curve does not fall.

    Args:
        curve: (compression, accuracy), ascending.
    """
    (first, start), (last, end) = curve[0], curve[-1]
    if len(curve) < 3 or end >= start or last <= first:
        return None

    def above(point: tuple[float, float]) -> float:
        across = math.log2(point[0] / first) / math.log2(last / first)
        return (point[1] - end) / (start - end) - (1 - across)

    # Of equal ones the first: it is the one that costs less.
    farthest = max(curve, key=above)
    return farthest[0] if above(farthest) > 0 else None
