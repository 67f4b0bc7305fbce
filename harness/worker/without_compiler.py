"""Keep torch's compiler out of processes that compile nothing, as long as nobody asks for it.

torch's shape code for meta tensors is Python, written for symbols as well as for numbers: it asks whether a condition
on sizes holds, and whether a number is a symbol. Much else asks the compiler to leave a function alone. For that torch
imports the compiler and `sympy`, which takes longer than importing torch. Where sizes are numbers and nothing is
compiled, the answers are known.
"""

from __future__ import annotations

import functools
import importlib
import operator
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

_SYMBOLS = "torch.fx.experimental.symbolic_shapes"


def answer_for_the_compiler() -> None:
    """From now on modules of the compiler are stood in for, unless they have been imported.

    What a stand-in does not know, it imports the module for; so does importing a part of it.
    """
    if not _STAND_INS.keys() & sys.modules.keys():
        sys.modules.update({name: _StandIn(name, answers) for name, answers in _STAND_INS.items()})


class DispatchMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A mode whose use imports no compiler, in a process without stand-ins either."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else torch imports it, in order to keep it away from us


class _StandIn(ModuleType):
    def __init__(self, name: str, answers: Mapping[str, Any]) -> None:
        super().__init__(name)
        vars(self).update(answers)

    def __getattr__(self, name: str) -> Any:
        asks_for_a_part = name == "__path__" and self.__name__ != _SYMBOLS
        if name.startswith("__") and not asks_for_a_part:
            raise AttributeError(name)
        for each in _STAND_INS:
            if isinstance(sys.modules.get(each), _StandIn):
                del sys.modules[each]
        return getattr(importlib.import_module(self.__name__), name)


def _itself(value: Any, *_: Any, **__: Any) -> Any:
    return value


def _all(*conditions: Any) -> Any:
    return functools.reduce(operator.and_, conditions)


def _any(*conditions: Any) -> Any:
    return functools.reduce(operator.or_, conditions)


def _equal(one: Any, other: Any) -> bool:
    return list(one) == list(other) if isinstance(one, list | tuple) else one == other


_STAND_INS: Mapping[str, Mapping[str, Any]] = {
    "torch._dynamo": {"disable": _itself},
    _SYMBOLS: {
        **dict.fromkeys(
            ("expect_true", "guard_or_false", "guard_or_true", "guard_bool", "guard_int", "guard_size_oblivious"),
            _itself,
        ),
        **dict.fromkeys(("statically_known_true", "guarding_hint_or_throw"), _itself),
        "has_guarding_hint": lambda _: True,
        "is_nested_int": lambda _: False,
        "free_unbacked_symbols": lambda _: set(),
        "sym_and": _all,
        "sym_or": _any,
        "sym_eq": _equal,
    },
    "sympy": {"Basic": type("Basic", (), {})},
}
