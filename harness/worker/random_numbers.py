"""Give student code other random numbers than it asks for, to see what of a network came from a generator."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

_SEED = 20_011


class _OtherDraws(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Whatever draws random numbers in torch draws those of our own generator's state, whichever seed was set."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._draws = 0

    def __torch_dispatch__(self, operator: Any, types: Any, arguments: Any = (), keywords: Any = None) -> Any:
        keywords = keywords or {}
        if torch.Tag.nondeterministic_seeded in operator.tags:
            self._draws += 1
            torch.manual_seed(_SEED + self._draws)
            keywords = {name: each for name, each in keywords.items() if name != "generator"}
        return operator(*arguments, **keywords)


@contextmanager
def other_random_numbers() -> Iterator[None]:
    """Draws in here are those of other seeds, in torch, NumPy and Python."""
    np.random.seed(_SEED)
    random.seed(_SEED)
    own = np.random.default_rng
    with (
        patch.object(np.random, "seed"),
        patch.object(np.random, "default_rng", lambda *_: own(_SEED)),
        patch.object(random, "seed"),
        _OtherDraws(),
    ):
        yield
