"""Names of tensors are matched with each other: no file and no worker may make that take for ever."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from harness_formats import containers
from pydantic import ValidationError

from harness.errors import SubmissionError
from harness.networks.differences import Mismatch
from harness.networks.key_matching import closest, match_keys
from harness.plugins import Plugins
from harness.worker.decoding import decode_weights
from harness.worker.protocol import (
    MAX_NAME_CHARACTERS,
    MAX_NAME_PARTS,
    MAX_NAMES_CHARACTERS,
    MAX_TENSORS,
    can_be_matched,
)
from harness.worker.replies import Built

UNUSABLE = {
    "dots": ["a" + ".a" * MAX_NAME_PARTS],
    "long": ["a" * (MAX_NAME_CHARACTERS + 1)],
    "much": [f"{number:0500}" for number in range(MAX_NAMES_CHARACTERS // 500 + 1)],
    "half a character": ["a\ud800"],
    "many": [f"a{number}" for number in range(MAX_TENSORS + 1)],
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_names_beyond_the_limits_are_refused_wherever_they_come_from(kind: str, tmp_path: Path) -> None:
    names = UNUSABLE[kind]
    with pytest.raises(ValidationError):
        Built(state=dict.fromkeys(names, (1,)), parameters=(), lazy=False, scripted_or_quantised=False)
    torch.save(dict.fromkeys(names, torch.zeros(1)), tmp_path / "w.pt")
    with pytest.raises(SubmissionError, match="512 characters or 64 parts") as refused:
        decode_weights(tmp_path / "w.pt", Plugins.of(containers).weight_formats)
    assert refused.value.status == "rejected"


def test_the_longest_names_there_may_be_are_matched_in_time() -> None:
    words = [".".join("ab"[(number >> min(bit, 19)) & 1] * 6 for bit in range(60)) for number in range(2_000)]
    file = {f"{name}{index}": torch.zeros(1) for index, name in enumerate(words)}
    assert can_be_matched(file)
    expected = {f"zz{name}": (1,) for name in file}
    started = time.monotonic()
    with pytest.raises(Mismatch):
        match_keys(file, expected)
    closest(file, expected)
    assert time.monotonic() - started < 10
