"""Hold evaluators to what they declare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from harness.contracts.evaluator import Evaluator
from harness.text import suggestion
from harness.values.evaluation import Evaluation
from harness.values.measures import Measures


def undeclared(evaluator: Evaluator[Any], found: Evaluation) -> Iterator[str]:
    """Everything in what it found that its `metrics` and `checks` do not say."""
    known = Measures.of(evaluator.metrics, evaluator.checks)
    for name, metric in found.metrics.items():
        spec = known.metrics.get(name)
        if spec is None:
            close = suggestion(name, known.metrics)
            yield f"measured {name!r}, which is not among its metrics{close}; declare it: MetricSpec({name!r}, …)"
        elif (metric.unit, metric.higher_is_better) != (spec.unit, spec.higher_is_better):
            yield f"measured {name!r} in another unit or direction than it declares: make it with its MetricSpec's of()"
    for name, times in Counter(check.name for check in found.checks).items():
        if name not in known.checks:
            close, wanted = suggestion(name, known.checks), f"CheckSpec({name!r})"
            yield f"made the check {name!r}, which is not among its checks{close}; declare it: {wanted}"
        if times > 1:
            yield f"made the check {name!r} {times} times: make one verdict of them, or declare a check for each"
