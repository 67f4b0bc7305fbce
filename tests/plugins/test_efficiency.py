"""Efficiency: counts by hand, times that pass for real, and nothing of it anywhere near a grade."""

from __future__ import annotations

import tomllib

import pytest
import torch
from curve_fakes import Networked, images_of, networked
from harness_efficiency import Efficiency, EfficiencyOptions
from student_fakes import context
from torch import nn

from harness.api import Latency, Metric
from harness.assignment.loading import shipped
from harness.errors import SubmissionError

TIMES = [f"latency_{size}{kind}_ms" for size in (1, 64) for kind in ("", "_iqr", "_outside")]


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 12, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 10),
    )  # fmt: skip


def evaluated(student, **options):
    return Efficiency().evaluate(student, context(EfficiencyOptions(**options), examples=images_of(range(10))))


def test_only_what_is_the_same_every_time_is_measured_unasked(tmp_path):
    found = evaluated(networked(network(), tmp_path))
    assert {name: each.value for name, each in found.metrics.items()} == {
        "macs": 16 * (27 * 16 + 144 * 12) + 120,
        # torchinfo also counts one for each bias of an output channel: 16 pixels of 16 and 12 channels, 10 outputs
        "macs_torchinfo": 16 * (28 * 16 + 145 * 12) + 130,
    }
    assert (found.checks, found.tables) == ((), ())


def test_times_are_shown_beside_the_graders_own_clock(tmp_path):
    found = evaluated(networked(network(), tmp_path), latency=True, seconds=0.01).metrics
    assert set(TIMES) < set(found)
    for size in (1, 64):
        assert 0 < found[f"latency_{size}_ms"].value < 1000
        assert found[f"latency_{size}_iqr_ms"].value >= 0
        assert found[f"latency_{size}_outside_ms"].value > 0
        assert found[f"latency_{size}_ms"].unit == "ms"


def test_structured_and_unstructured_side_by_side(tmp_path):
    found = evaluated(networked(network(), tmp_path), compare_pruning=0.5, seconds=0.01)
    (table,) = found.tables
    assert [row.label for row in table.rows] == [
        "as handed in",
        "50% of the weights at zero",
        "without 50% of the channels",
    ]
    cells = [dict(zip(table.columns, row.cells, strict=True)) for row in table.rows]
    macs = [each["MACs"].value for each in cells]
    assert macs[0] == macs[1] == 16 * (27 * 16 + 144 * 12) + 120
    assert macs[2] == 16 * (27 * 8 + 72 * 6) + 60
    weights = 27 * 16 + 144 * 12 + 120
    assert [each["parameters"].value for each in cells] == [weights + 38, weights // 2 + 38, 27 * 8 + 72 * 6 + 60 + 24]
    assert {"speedup_unstructured", "speedup_structured"} < set(found.metrics)
    assert all(isinstance(each["accuracy"], Metric) and each["accuracy"].low is not None for each in cells)


class Drifting(Networked):
    """Every pass takes a tenth longer than the one before: on a machine that slows down, all do alike."""

    passes = 0

    def latency(self, weights=None, *, batch_size, seconds=0.01):
        type(self).passes += 1
        return Latency(median=1.1**self.passes, iqr=0)


def test_a_machine_that_slows_down_makes_no_network_faster(tmp_path):
    flat = nn.Sequential(nn.Flatten(), nn.Linear(48, 10))
    found = evaluated(networked(flat, tmp_path, Drifting), compare_pruning=0.5)
    speedup = found.metrics["speedup_unstructured"]
    # Two sizes each in turn: the other network always comes two passes later. Measured one after the other it would be 12.
    assert speedup.value == pytest.approx(1.1**-2)
    assert (speedup.low, speedup.high) == (pytest.approx(1.1**-2), pytest.approx(1.1**-2))
    assert Drifting.passes == 2 * 2 * 6


def test_a_speedup_has_an_interval(tmp_path):
    speedup = evaluated(networked(network(), tmp_path), compare_pruning=0.5, seconds=0.01).metrics["speedup_structured"]
    assert speedup.low <= speedup.value <= speedup.high


class Untimed(Networked):
    def latency(self, weights=None, *, batch_size, seconds=0.01):
        raise SubmissionError("timed_out", "too slow")


class Uncounted(Networked):
    def macs(self):
        raise SubmissionError("rejected", "its operations cannot be counted")


def test_what_fails_is_said_and_the_rest_stands(tmp_path):
    found = evaluated(networked(network(), tmp_path, Untimed), latency=True, compare_pruning=0.5)
    assert set(found.metrics) == {"macs", "macs_torchinfo"}
    assert [(each.verdict, each.reason) for each in found.checks] == [("could_not_check", "too slow")]
    found = evaluated(networked(network(), tmp_path, Uncounted), compare_pruning=0.5, seconds=0.01)
    assert [row.cells[2] for row in found.tables[0].rows][:2] == [None, None]
    assert "cannot be counted" in found.checks[0].reason


def test_a_network_that_cannot_be_cut_keeps_its_other_rows(tmp_path):
    flat = nn.Sequential(nn.Flatten(), nn.Linear(48, 10))
    found = evaluated(networked(flat, tmp_path), compare_pruning=0.5, seconds=0.01)
    assert len(found.tables[0].rows) == 2
    assert "channels cannot be removed" in found.checks[0].reason


@pytest.mark.parametrize("name", shipped())
def test_no_shipped_assignment_grades_or_ranks_by_time(name):
    rules = tomllib.loads(shipped()[name].read_text())
    used = [
        each.get("metric")
        for each in (*rules["rubric"].get("points", ()), *rules["rubric"].get("rank", ()), *rules["ranking"])
    ]
    checks = [*rules["rubric"].get("gates", ()), *(each.get("check") for each in rules["rubric"].get("points", ()))]
    timed = {*TIMES, "speedup_structured", "speedup_unstructured", "efficiency"}
    assert not timed & {*used, *checks}
    assert timed - {"efficiency"} <= {spec.name for spec in Efficiency.metrics}
