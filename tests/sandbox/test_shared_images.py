"""Images are shared, and nothing else is: not their order, and no place to leave a message."""

from __future__ import annotations

import os

import numpy as np
import torch

from harness.sandbox.shared_images import SharedImages
from harness.values.images import Images
from harness.worker.shared_memory import mapped


def test_every_worker_has_an_open_file_of_its_own() -> None:
    pixels = torch.arange(24, dtype=torch.uint8).reshape(2, 3, 2, 2)
    images, shared = Images(pixels, 3, (0.0,) * 3, (1.0,) * 3), SharedImages("secret")
    with shared.opened(images) as (one, order), shared.opened(images) as (other, again):
        # What is shared with it, an open file's position is the only thing that whoever has it can change.
        os.lseek(one, 17, os.SEEK_SET)
        assert os.lseek(other, 0, os.SEEK_CUR) == 0
        assert order.tolist() == again.tolist()
        for each in (one, other):
            assert torch.equal(mapped(each, np.uint8, (2, 3, 2, 2)), pixels[torch.from_numpy(order)])
    with shared.opened(images) as (later, _):
        assert os.lseek(later, 0, os.SEEK_CUR) == 0
