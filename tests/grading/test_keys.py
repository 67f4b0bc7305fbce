"""What makes a measurement another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders import write_assignment
from hand_ins import PLUGINS

from harness.assignment.loading import load
from harness.board.judged import judge_of
from harness.grading.keys import ENDS, Keys
from harness.values.networks import Verification

VERIFIED = Verification(verified=True, digest="sha256:graph", operators=3)
UNVERIFIED = Verification(verified=False, reason="it decides")


@pytest.fixture
def keys(tmp_path: Path) -> Any:
    evaluators = {"accuracy": {}, "model_size": {}}
    assignment = load(str(write_assignment(tmp_path, evaluators=evaluators)), PLUGINS, needs_data=False)
    versions = dict.fromkeys(evaluators, "1.0")
    return lambda *device: Keys(
        assignment, judge_of(assignment), versions, "1.0", "bwrap", {"test": "sha256:"}, *device
    )


def test_a_device_is_part_of_what_it_measures(keys: Any) -> None:
    def of(device: str, evaluator: str, network: Verification) -> str:
        return keys(device).evaluation(evaluator, intake="files", network=network, input_size=8, earlier=())

    assert of("cuda", "accuracy", VERIFIED) != of("cpu", "accuracy", VERIFIED)
    # Nobody looks at images, or nothing runs there.
    assert of("cuda", "model_size", VERIFIED) == of("cpu", "model_size", VERIFIED)
    assert of("cuda", "accuracy", UNVERIFIED) == of("cpu", "accuracy", UNVERIFIED)
    assert {end: keys("cuda").conditions(end) == keys("cpu").conditions(end) for end in ENDS} == {
        "graded": False,
        "measuring": False,
        "opening": True,
    }
