"""The stub of every shipped assignment, untrained, passes everything that its images do not decide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from hand_ins import PLUGINS, graded, only_evaluators, sandbox_called
from numpy.typing import NDArray

from harness.assignment.loading import Assignment, load, shipped
from harness.assignment.stub import stub_source
from harness.data.data_sets import DataSets
from harness.data.images import load_examples
from harness.values.images import Examples


class _Few(DataSets):
    """Some images of an assignment: nothing that is checked here looks at them."""

    def __init__(self, assignment: Assignment) -> None:
        super().__init__(assignment, PLUGINS, "instructor")
        self._chosen = assignment

    def test(self, size: int) -> tuple[Examples, NDArray[np.bool_]]:
        return load_examples(self._chosen, "test", size, PLUGINS.datasets, sample=2), np.ones(2, dtype=bool)

    def calibration(self, size: int) -> None:
        return None


_NO_FORWARD = {"parameter_limit", "kd_loss", "model_size"}


def test_it_passes_all_but_accuracy(tmp_path: Path) -> None:
    sandbox = sandbox_called("auto")
    for name in shipped():
        assignment = load(name, PLUGINS)
        folder = tmp_path / name
        folder.mkdir()
        source = stub_source(assignment, PLUGINS)
        (folder / "model.py").write_text(source, encoding="utf-8")
        space: dict[str, object] = {"__name__": "model"}
        exec(source, space)
        submission = assignment.rules.submission
        make = next(space[each] for each in submission.entry_points if each in space)
        torch.save(make(**submission.model_arguments).state_dict(), folder / "weights.pt")  # type: ignore[operator]
        wanted = only_evaluators(assignment, lambda each: each in _NO_FORWARD)
        result = graded(wanted, [folder], sandbox, data=_Few(assignment))[name]
        assert result.status == "graded", result.reason
        assert result.network is not None
        assert result.network.verified, result.network
        assert {check.name: check.verdict for check in result.checks} == dict.fromkeys(
            (check.name for check in result.checks), "passed"
        )
        assert "parameters" in result.metrics or "weights_bytes" in result.metrics
