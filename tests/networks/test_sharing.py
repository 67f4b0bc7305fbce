"""Images of one network are shared out in whole batches, and answered to the last bit as by one worker."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import hand_ins
import pytest
import torch
from hand_ins import hand_in, linear, sandbox_called, small_assignment
from hypothesis import given
from hypothesis import strategies as st

from harness.data.images import load_examples
from harness.errors import SubmissionError
from harness.networks.sharing import at_once, shared_out


@given(st.integers(0, 20_000), st.integers(1, 300), st.integers(1, 9))
def test_every_image_is_in_one_part_and_in_its_own_batch(images: int, batch_size: int, workers: int) -> None:
    parts = shared_out(images, batch_size, workers)
    assert 1 <= len(parts) <= workers
    batches = [range(at, min(at + batch_size, end)) for first, end in parts for at in range(first, end, batch_size)]
    assert batches == [range(at, min(at + batch_size, images)) for at in range(0, images, batch_size)]
    sizes = [end - first for first, end in parts]
    assert max(sizes) - min(sizes) < 2 * batch_size


def test_what_fails_is_raised_once_all_have_ended() -> None:
    ended = []

    def fail() -> None:
        raise SubmissionError("crashed", "one")

    with pytest.raises(SubmissionError, match="one"):
        at_once([fail, lambda: ended.append("other")])
    assert ended == ["other"]


@pytest.mark.sandbox
def test_several_workers_answer_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox, assignment = sandbox_called("auto"), small_assignment(tmp_path / "assignment")
    images = load_examples(assignment, "test", 8, hand_ins.PLUGINS.datasets).images
    module = linear()
    with hand_ins.opened(hand_in(tmp_path / "one"), assignment, sandbox) as student:
        alone = student.logits(images, batch_size=1)
        monkeypatch.setattr(sandbox, "processors", 2)
        assert torch.equal(student.logits(images, batch_size=1), alone)
        plain = module.fc(((images.pixels.float() / 255 - 0.5) / 0.5).flatten(1))
        torch.testing.assert_close(alone, plain.detach())
        (helper,) = student._measuring.helpers(1)
        # One that died is replaced, as everywhere.
        worker = helper.session.greeted()
        os.kill(worker._process.pid, signal.SIGKILL)
        while worker.alive:
            time.sleep(0.01)
        assert torch.equal(student.logits(images, batch_size=1), alone)
