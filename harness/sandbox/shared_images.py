"""Share images with workers: in sealed memory, decoded once for all, and in an order that tells nothing.

Data sets are sorted more often than not, and a worker that knew an image's place would know its class. The order comes
from a secret seed that is kept with the store: the same for every submission and every run, so that results repeat.
"""

from __future__ import annotations

import hashlib
import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from harness.values.images import Images
from harness.worker.shared_memory import sealed

Order = NDArray[np.int64]


class SharedImages:
    """Safe to use from several threads.

    Args:
        seed: any text; without it the order cannot be found out. None: the images' own order.

    Attributes:
        in_order: the same in the images' own order, for workers in which no student code runs.
    """

    def __init__(self, seed: str | None) -> None:
        self._seed = seed
        self.in_order = self if seed is None else SharedImages(None)
        self._shared: weakref.WeakKeyDictionary[Images, tuple[int, Order]] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    @contextmanager
    def opened(self, images: Images) -> Iterator[tuple[int, Order]]:
        """A descriptor of the pixels, opened for one worker, and their order: row i there is image `order[i]`.

        An open file has a position that all who have it can set and read: shared, it would carry messages.
        """
        shared, order = self._of(images)
        link = Path(f"/proc/self/fd/{shared}")
        descriptor = os.open(link, os.O_RDONLY | os.O_CLOEXEC) if link.exists() else os.dup(shared)
        try:
            yield descriptor, order
        finally:
            os.close(descriptor)

    def _of(self, images: Images) -> tuple[int, Order]:
        with self._lock:
            if images not in self._shared:
                order = self._order(len(images.pixels))
                descriptor = sealed(images.pixels[torch.from_numpy(order)])
                weakref.finalize(images, os.close, descriptor)
                self._shared[images] = descriptor, order
            return self._shared[images]

    def _order(self, count: int) -> Order:
        if self._seed is None:
            return np.arange(count)
        entropy = int.from_bytes(hashlib.sha256(f"{self._seed} {count}".encode()).digest())
        return np.random.default_rng(entropy).permutation(count)
