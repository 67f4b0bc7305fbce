"""Give student code other random numbers than it asks for, to see what of a network came from a generator."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from harness.worker.without_compiler import DispatchMode

_SEED = 20_011


class _OtherDraws(DispatchMode):  # type: ignore[no-untyped-call]
    """Whatever draws random numbers in torch draws those of our own generator's state, whichever seed was set."""

    def __init__(self) -> None:
        super().__init__()
        self._draws = 0

    def __torch_dispatch__(self, operator: Any, types: Any, arguments: Any = (), keywords: Any = None) -> Any:
        keywords = keywords or {}
        if torch.Tag.nondeterministic_seeded in operator.tags:
            self._draws += 1
            torch.manual_seed(_SEED + self._draws)
            keywords = {name: each for name, each in keywords.items() if name != "generator"}
        return operator(*arguments, **keywords)


class _OtherRandom(random.Random):
    def seed(self, *_: Any, **__: Any) -> None:
        super().seed(_SEED)


def _reseeded(kind: Any) -> Any:
    """A class of NumPy's that takes our seed instead of the one it is given."""

    class Other(kind):  # type: ignore[misc]
        def __init__(self, *_: Any, **__: Any) -> None:
            super().__init__(_SEED)

        def seed(self, *_: Any, **__: Any) -> None:
            super().seed(_SEED)

    return Other


_NUMPYS = {name: _reseeded(getattr(np.random, name)) for name in ("RandomState", "MT19937", "PCG64", "Philox", "SFC64")}


@contextmanager
def other_random_numbers(*, torchs: bool = True) -> Iterator[None]:
    """Draws in here are those of other seeds, in NumPy and Python, and in torch where that is wanted.

    A generator that the student wrote is no draw; what it makes is an intricate constant.
    """
    np.random.seed(_SEED)
    random.seed(_SEED)
    own = np.random.default_rng
    with ExitStack() as patches:
        for name, kind in _NUMPYS.items():
            patches.enter_context(patch.object(np.random, name, kind))
        patches.enter_context(patch.object(np.random, "seed"))
        patches.enter_context(patch.object(np.random, "default_rng", lambda *_: own(_SEED)))
        patches.enter_context(patch.object(random, "seed"))
        patches.enter_context(patch.object(random, "Random", _OtherRandom))
        if torchs:
            patches.enter_context(_OtherDraws())
        yield
