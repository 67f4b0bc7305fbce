"""What student code raises, in words: which status, and a hint only where it is true."""

from __future__ import annotations

import mmap
from pathlib import Path

import pytest
import torch
from torch import nn

from harness.worker.failures import failure


def raised(function) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
        function()
    return caught.value


def in_other_words():
    try:
        mmap.mmap(-1, 2**62)
    except OSError as error:
        raise ValueError("no room") from error


@pytest.mark.parametrize(
    "asked",
    [
        lambda: mmap.mmap(-1, 2**62),
        lambda: torch.empty(2**60),
        lambda: bytearray(2**62),
        in_other_words,
    ],
)
def test_memory_that_is_not_there_is_out_of_memory(asked):
    assert failure(raised(asked)).status == "out_of_memory"


@pytest.mark.parametrize(
    "asked", [lambda: Path("/nowhere").read_text(), lambda: 1 / 0, lambda: torch.zeros(2) @ torch.zeros(3)]
)
def test_other_errors_are_not(asked):
    assert failure(raised(asked)).status == "crashed"


IMAGE = (3, 8, 8)


@pytest.mark.parametrize(
    ("network", "hint"),
    [
        (nn.Sequential(nn.Conv2d(1, 4, 3)), "images come with 3 channels: the first layer must take 3, not 1"),
        (nn.Conv2d(1, 4, 3), "images come with 3 channels: the first layer must take 3, not 1"),
        (
            nn.Sequential(nn.Conv2d(3, 64, 3), nn.Conv2d(32, 4, 3)),
            "one takes 32 channels, and what comes before it gives 64",
        ),
        # As many channels as an image, and its size: but it is none.
        (
            nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(1, 4, 3)),
            "a layer takes 1 channels and gets 3, which is also how many channels images have",
        ),
        (
            nn.Sequential(nn.Conv2d(3, 3, 3), nn.Conv2d(1, 4, 3)),
            "one takes 1 channels, and what comes before it gives 3",
        ),
        (nn.Sequential(nn.Flatten(), nn.Linear(100, 10)), "another number of inputs"),
    ],
)
def test_hints_on_shapes_are_true(network, hint):
    assert hint in failure(raised(lambda: network(torch.zeros(2, *IMAGE))), IMAGE).hint
