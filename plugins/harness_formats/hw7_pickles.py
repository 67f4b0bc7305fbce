"""Decode raw pickles of NumPy arrays: HW7's 8-bit and 16-bit weights (NTU ML 2020).

`encode8` stores each tensor as (min, max, uint8 array q), q = round((w - min) / (max - min) · 255), decoded as
q / 255 · (max - min) + min; 0-dim tensors as a bare float64. `encode16` stores float16 arrays and float64 scalars.
Any other raw pickle is recognised as well, so that it is refused in the sandbox and with a reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from harness.api import RawWeights, SubmissionError, WeightFormat, hookimpl
from harness.api.worker import head_and_tail, unpickle_arrays

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
    """A dict of names to what `encode8` or `encode16` makes of tensors."""

    name = "hw7-pickle"

    def recognises(self, file: BinaryIO) -> bool:
        head, tail = head_and_tail(file)
        if _TORCH_MAGIC in head or not tail.endswith(b"."):
            return False
        return bool(_BINARY.match(head) or _TEXT.match(head))

    def decode(self, path: Path) -> RawWeights:
        """float32 tensors, with 8, 16 or 64 as their stored bits."""
        with path.open("rb") as file:
            content = unpickle_arrays(file)
        if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
            raise SubmissionError.rejected(f"the pickle holds a {type(content).__name__}, not a dict of weights", _HINT)
        tensors: dict[str, Tensor] = {}
        bits: dict[str, int] = {}
        for name, value in content.items():
            tensors[name], bits[name] = _decoded(name, value)
        return RawWeights(tensors, bits, (f"HW7 pickle, {_widths(bits)}",))


def _decoded(name: str, value: Any) -> tuple[Tensor, int]:
    import numpy as np
    import torch

    match value:
        case (low, high, np.ndarray() as levels) if levels.dtype == np.uint8:
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
