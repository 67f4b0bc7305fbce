"""Whatever a test of this folder has a shipped evaluator find is held against what the evaluator declares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import pytest

from harness.api import Evaluation
from harness.plugins import Plugins
from harness.values.measures import Measures


@pytest.fixture(autouse=True, scope="session")
def declared() -> Iterator[None]:
    """Evaluators return only what they declare, in the unit and the direction that they declare."""
    with pytest.MonkeyPatch.context() as patch:
        for evaluator in Plugins.installed().evaluators.values():
            for method in ("evaluate", "evaluate_predictions"):
                if hasattr(evaluator, method):
                    patch.setattr(type(evaluator), method, checked(getattr(type(evaluator), method)))
        yield


def checked(method: Callable[..., Evaluation]) -> Callable[..., Evaluation]:
    @wraps(method)
    def evaluate(self: Any, *given: Any) -> Evaluation:
        found = method(self, *given)
        known = Measures.of(self.metrics, self.checks)
        for name, metric in found.metrics.items():
            spec = known.metrics[name]
            assert (metric.unit, metric.higher_is_better) == (spec.unit, spec.higher_is_better), name
        assert {check.name for check in found.checks} <= set(known.checks)
        return found

    return evaluate
