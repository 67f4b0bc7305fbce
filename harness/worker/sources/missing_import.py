"""Stand in for packages that are not installed here, and for imports that were left out when a class was pasted."""

from __future__ import annotations

import importlib
from typing import Any, NoReturn

_USUAL = {
    "torch": "torch",
    "nn": "torch.nn",
    "F": "torch.nn.functional",
    "np": "numpy",
    "math": "math",
}


def offered(name: str) -> Any:
    """The module that everyone calls so.

    Raises:
        KeyError: there is none.
    """
    return importlib.import_module(_USUAL[name])


class Absent:
    """Stands for what could not be imported: may be named and annotated with, raises when it is used."""

    def __init__(self, name: str, reason: str) -> None:
        self._name, self._reason = name, reason

    def __getattr__(self, name: str) -> Absent:
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent(f"{self._name}.{name}", self._reason)

    def __repr__(self) -> str:
        return f"<{self._name}, not available here>"

    def __or__(self, _: Any) -> Absent:
        return self

    __ror__ = __or__

    def _use(self, *_: Any, **__: Any) -> NoReturn:
        raise ImportError(f"{self._name} is not available here ({self._reason}); the model must do without it")

    __call__ = __iter__ = __getitem__ = __setitem__ = __enter__ = __mro_entries__ = __len__ = __bool__ = _use
    __add__ = __radd__ = __mul__ = __rmul__ = __instancecheck__ = _use
