"""Make the arguments of one call, in the forms that functions ask for, and take the loss from what they return."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import Tensor

TeacherForm = Literal["tensor", "list", "stack", "dict", "probabilities", "log-probabilities"]
SEVERAL: tuple[TeacherForm, ...] = ("tensor", "list", "stack", "dict")
SOFTENED: tuple[TeacherForm, ...] = ("tensor", "probabilities")
"""For a name such as `teacher_probs` or `soft_labels`: the softmax may have been taken before."""
LOG_SOFTENED: tuple[TeacherForm, ...] = ("tensor", "log-probabilities")
"""For a name such as `teacher_log_probs`."""
Path = tuple[Any, ...]
"""Keys, indices and names of attributes, from what is returned to the loss in it."""

_TILES = 12
_MOST_ENTRIES = 8
_DEPTH = 3
_FIRST = ("loss", "total", "total_loss", "kd_loss")


@dataclasses.dataclass(frozen=True, slots=True)
class Inputs:
    """How one call gets its tensors.

    Attributes:
        one_hot: labels as rows of 0 and 1, instead of class indices.
        tiled: every row many times, for functions that want a larger batch; a mean over the batch stays what it was.
        whole: a whole T as an integer.
    """

    one_hot: bool = False
    tiled: bool = False
    whole: bool = False

    @property
    def words(self) -> list[str]:
        return ["a larger batch"] * self.tiled + ["an integer as T"] * self.whole

    def of(self, given: Mapping[str, Tensor], leaf: Tensor) -> dict[str, Any]:
        """Clones; the student is not a leaf, as in training, so in-place operations on it are allowed."""
        import torch

        labels = given["labels"]
        if self.one_hot and labels.ndim == 1:
            labels = torch.nn.functional.one_hot(labels, leaf.shape[1]).to(leaf.dtype)
        rows = {"student": leaf, "labels": labels, "teacher": given["teacher"]}
        if self.tiled:
            return {name: each.repeat(_TILES, *[1] * (each.ndim - 1)) for name, each in rows.items()}
        return {name: each.clone() for name, each in rows.items()}


TRIED = (Inputs(), Inputs(whole=True), Inputs(tiled=True), Inputs(whole=True, tiled=True), Inputs(one_hot=True))
"""From the usual to the unusual; the first that does not raise counts."""


def teachers(form: TeacherForm, teacher: Tensor, temperature: float) -> Any:
    """The teacher as a function takes it.

    Where several are wanted it is twice the same: whatever is averaged, the average is that of one.
    """
    import torch

    match form:
        case "list":
            return [teacher, teacher.clone()]
        case "stack":
            return torch.stack([teacher, teacher])
        case "dict":
            return {"first": teacher, "second": teacher.clone()}
        case "probabilities":
            return torch.softmax(teacher / temperature, dim=1)
        case "log-probabilities":
            return torch.log_softmax(teacher / temperature, dim=1)
        case _:
            return teacher


def entries(returned: Any) -> list[tuple[str, Path]]:
    """(words, path) of everything in it that may be the loss, likeliest first; of a bare value, the value itself."""
    import torch

    found = list(_walked(returned, (), ""))
    tensors = [each for each in found if isinstance(each[2], torch.Tensor)]
    scalars = [each for each in tensors if each[2].numel() == 1]
    chosen = scalars or tensors or [each for each in found if isinstance(each[2], int | float)]
    chosen.sort(key=lambda each: _rank(each[1]))
    return [(words, path) for words, path, _ in chosen[:_MOST_ENTRIES]] or [("", ())]


def _rank(path: Path) -> int:
    return min((_FIRST.index(key) for key in path if key in _FIRST), default=len(_FIRST))


def _walked(value: Any, path: Path, words: str) -> Iterator[tuple[str, Path, Any]]:
    parts = _parts(value) if len(path) < _DEPTH else {}
    if not parts:
        yield words, path, value
    for key, part in parts.items():
        name = f"entry {key + 1}" if isinstance(key, int) else f"`{str(key)[:40]}`"
        yield from _walked(part, (*path, key), f"{words}, {name}" if words else name)


def _parts(value: Any) -> dict[Any, Any]:
    if isinstance(value, dict):
        return value
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return dict(zip(value._fields, value, strict=True))
    if isinstance(value, tuple | list):
        return dict(enumerate(value))
    if isinstance(value, types.SimpleNamespace) or (dataclasses.is_dataclass(value) and not isinstance(value, type)):
        return dict(vars(value))
    return {}


def picked(returned: Any, path: Path) -> Any:
    """What lies at the path.

    Raises:
        KeyError: it is not there this time.
    """
    for key in path:
        returned = _parts(returned)[key]
    return returned


def kind_of(returned: Any) -> str | None:
    """'a tuple of 3', for what holds several results."""
    parts = _parts(returned)
    return f"a {type(returned).__name__[:30]} of {len(parts)}" if parts else None
