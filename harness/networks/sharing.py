"""Share out the images of one network among several workers.

Every batch holds the same images whoever runs it, and each worker computes on one thread: logits are equal to the last
bit, however many take part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

_FEWEST_BATCHES = 16
"""For one worker: to start another takes as long as a few of a small network."""

Rows = tuple[int, int]


def shared_out(images: int, batch_size: int, workers: int) -> list[Rows]:
    """Rows for each of at most `workers` workers, in order; each begins where a batch does.

    >>> shared_out(4000, 64, 2)
    [(0, 2048), (2048, 4000)]
    """
    batches = -(-images // batch_size)
    parts = max(1, min(workers, batches // _FEWEST_BATCHES))
    ends = [min(images, -(-batches * part // parts) * batch_size) for part in range(parts + 1)]
    return list(pairwise(ends))


def at_once(works: Sequence[Callable[[], None]]) -> None:
    """Do all, each in a thread; raises what the first of them raised, once all have ended."""
    with ThreadPoolExecutor(len(works), thread_name_prefix="part") as threads:
        futures = [threads.submit(each) for each in works]
    for each in futures:
        each.result()
