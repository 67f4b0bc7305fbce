"""The example classes: a plain network stays flat and then falls; a depthwise one falls early and comes back."""

from __future__ import annotations

from dataclasses import replace

from builders import SUBMISSIONS
from hand_ins import PLUGINS, graded, sandbox_called
from harness_curves.pruning import PruningOptions

from harness.assignment.loading import load
from harness.assignment.shipped import fixtures


def measured(assignment_id: str, name: str, options: PruningOptions, calibration: str):
    assignment = load(assignment_id, PLUGINS)
    test = assignment.rules.data["test"]
    rules = assignment.rules.model_copy(update={"data": {"test": test, "calibration": test}})
    paths = {**assignment.data_paths, "calibration": fixtures() / calibration}
    alone = replace(
        assignment, rules=rules, data_paths=paths, options={"pruning_curve": options}, evaluators=PLUGINS.evaluators
    )
    path = SUBMISSIONS / assignment_id / name
    result = graded(alone, [path], sandbox_called("bwrap"))[name]
    assert (result.status, result.checks) == ("graded", ())
    return {line.label: [y for _, y in line.points] for line in result.curves[0].series}


def test_seed_001_is_flat_and_then_falls():
    options = PruningOptions(methods=("global_l1",), fractions=(0.2, 0.4, 0.6, 0.8, 0.9), images=500)
    dense, *flat, knee, gone = measured("nycu-ds2023-hw2", "seed-001", options, "data/fashion-mnist-train-1000")[
        "global L1"
    ]
    assert all(abs(dense - each) <= 0.012 for each in flat)
    assert knee < dense - 0.02
    assert gone < knee - 0.3


def test_the_depthwise_network_collapses_earlier_and_recovers_with_recalibration():
    options = PruningOptions(
        methods=("global_l1",), fractions=(0.75,), images=220, recalibrate=True, calibration_images=256
    )
    plain, again = measured("ntu-ml2020-hw7", "seed-000", options, "stand_in/training").values()
    assert plain[1] < plain[0] - 0.3  # where seed-001 has lost 0.02
    assert again[1] > again[0] - 0.08
