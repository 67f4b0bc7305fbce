"""Define what a plugin's code gets when it runs beside student code: the submission's sources, unexecuted."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Definition(Protocol):
    """A name that a submission's sources define at module level."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str:
        """class, function or assignment."""

    @property
    def file(self) -> str:
        """As tracebacks call it: `model.py`, or `hw.ipynb cell 3`."""

    @property
    def line(self) -> int: ...
    @property
    def node(self) -> ast.AST: ...

    @property
    def path(self) -> str:
        """The source file, for `load("path:name")`."""


class Located(Protocol):
    """A definition brought to life."""

    @property
    def object(self) -> Any: ...


class Sources(Protocol):
    """The submission's sources. Nothing of them has run before a name is loaded."""

    def names(self) -> Sequence[Definition]: ...

    def load(self, name: str) -> Located:
        """Execute only what the name needs; raises whatever the student's code raises."""


WorkerAnswer = tuple[dict[str, Any], dict[str, "Tensor"]]
"""Facts that JSON can hold, and tensors."""
WorkerHalf = Callable[[Sources, Mapping[str, Any], Mapping[str, "Tensor"]], WorkerAnswer]
"""A plugin's function that `Student.ask` runs beside student code: it gets the sources, facts and tensors."""
