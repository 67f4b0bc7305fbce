"""Decode raw pickles of NumPy arrays: HW7's 8-bit and 16-bit weights (NTU ML 2020).

`encode8` stores each tensor as (min, max, uint8 array q), q = round((w - min) / (max - min) · 255), decoded as
q / 255 · (max - min) + min; 0-dim tensors as a bare float64. `encode16` stores float16 arrays and float64 scalars.
Any other raw pickle is recognised as well: what `pickle.dump` made of a state_dict, of arrays or of a module is read,
the rest is refused in the sandbox and with a reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from harness.api import RawWeights, SubmissionError, WeightFormat, hookimpl
from harness.api.worker import head_and_tail, load_pickle, unpickle_arrays

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

_TORCH_MAGIC = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e"
_BINARY = re.compile(rb"\x80[\x02-\x05]")
# Protocols 0 and 1 are text or nearly so; only what cannot be the start of a source, a table or a README counts.
_TEXT = re.compile(
    rb"\(dp?\d*\n|\}q\x00|"
    rb"c(?:numpy|torch|collections|__builtin__|builtins|copy_reg|argparse|os|posix|nt|subprocess)[\w.]*\n\w+\n"
)
_HINT = "write it as the course's encode8 or encode16 does, or use torch.save(model.state_dict(), …)"


class RawPickle:
    """A dict of names to what `encode8` or `encode16` makes of tensors; else whatever `pickle.dump` wrote."""

    name = "hw7-pickle"

    def recognises(self, file: BinaryIO) -> bool:
        head, tail = head_and_tail(file)
        if _TORCH_MAGIC in head or not tail.endswith(b"."):
            return False
        return bool(_BINARY.match(head) or _TEXT.match(head))

    def decode(self, path: Path) -> RawWeights:
        """float32 tensors, with 8, 16 or 64 as their stored bits; or what else holds a network, as it is."""
        content, notes = _content(path)
        if _holds_a_network(content):
            return RawWeights(content, notes=notes)
        if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
            raise SubmissionError.rejected(f"the pickle holds a {type(content).__name__}, not a dict of weights", _HINT)
        tensors: dict[str, Tensor] = {}
        bits: dict[str, int] = {}
        for name, value in content.items():
            tensors[name], bits[name] = _decoded(name, value)
        return RawWeights(tensors, bits, (*notes, f"HW7 pickle, {_widths(bits)}"))


def _content(path: Path) -> tuple[Any, tuple[str, ...]]:
    try:
        with path.open("rb") as file:
            return unpickle_arrays(file), ()
    except SubmissionError:
        read = load_pickle(path)
        held = isinstance(read.content, dict) and all(_is_value(each) for each in read.content.values())
        if not held and not _holds_a_network(read.content):
            raise
        return read.content, read.notes


def _is_value(value: Any) -> bool:
    import numpy as np

    return isinstance(value, tuple | np.ndarray | np.generic | float | int)


def _holds_a_network(content: Any) -> bool:
    """Whether there are tensors, a module, or a dict of arrays inside a checkpoint: not HW7's form."""
    import numpy as np
    import torch

    if isinstance(content, torch.nn.Module) or "_parameters" in getattr(content, "__dict__", ()):
        return True
    if not isinstance(content, dict) or not content:
        return False
    values = list(content.values())
    inner = [each for each in values if isinstance(each, dict)]
    arrays = (torch.Tensor, np.ndarray)
    return any(isinstance(each, torch.Tensor | torch.nn.Module) for each in values) or any(
        _holds_a_network(each) or any(isinstance(one, arrays) for one in each.values()) for each in inner
    )


def _decoded(name: str, value: Any) -> tuple[Tensor, int]:
    import numpy as np
    import torch

    match value:
        # Of these types alone: NumPy 2.5 has patterns take arrays for sequences, and some arrays have no length.
        case tuple((low, high, np.ndarray() as levels)) | list((low, high, np.ndarray() as levels)) if (
            levels.dtype == np.uint8
        ):
            array = _dequantised(name, low, high, levels)
            width = 8
        case np.ndarray() | np.generic() if value.dtype.kind in "fiu":
            array = np.asarray(value)
            width = 8 * value.dtype.itemsize
        case float() | int():
            array = np.asarray(float(value))
            width = 64
        case _:
            raise SubmissionError.rejected(
                f"the pickle's {name!r} is a {type(value).__name__}, not weights as encode8 or encode16 write",
                _HINT,
            )
    return torch.from_numpy(np.array(array, dtype=np.float32)), width


def _dequantised(name: str, low: Any, high: Any, levels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    import numpy as np

    try:
        # In float64 throughout, as NumPy computes it from a uint8 array and float64 scalars.
        start, span = float(low), float(high) - float(low)
    except (TypeError, ValueError, OverflowError) as error:
        raise SubmissionError.rejected(f"the range of {name!r} is not two numbers", _HINT) from error
    if not np.isfinite(start) or not np.isfinite(span):
        raise SubmissionError.rejected(f"the range of {name!r} is not finite", _HINT)
    # max = min: encode8 divided 0 by 0, and whatever it stored stands for that one value.
    decoded: np.ndarray[Any, Any] = levels.astype(np.float64) / 255 * span + start
    return decoded


def _widths(bits: dict[str, int]) -> str:
    return " and ".join(f"{width}-bit" for width in sorted(set(bits.values()) - {64})) or "scalars only"


@hookimpl
def harness_weight_formats() -> Iterable[WeightFormat]:
    return [RawPickle()]
