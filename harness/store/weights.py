"""Pack weights that are kept after grading, so that a class can be compared from the store alone.

A safetensors document of the floating-point tensors that were sent into the network, in bfloat16: half the size of
float32, and unlike float16 with its whole range, so that no scaling of layers against each other leaves it. Its 8
significant bits change a tensor's cosine with another by about 10⁻⁶. What is exactly equal is told by digests of the
exact values.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

MAX_ELEMENTS = 16_000_000
"""Of one submission's tensors together: more than a hundred times what the shipped assignments allow."""
_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """One submission's weights as they come back."""

    weights: Mapping[str, NDArray[np.float32]]
    digests: Mapping[str, str]
    """Of the exact values of those that are not constant."""
    file_digest: str


def file_digest(file: Path) -> str:
    """SHA-256 of a weights file as it was handed in."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def packed(weights: Mapping[str, Tensor], of_file: str) -> bytes | None:
    """The document for the store; None when there are more than `MAX_ELEMENTS`.

    Args:
        weights: by name, in an order that is kept.
        of_file: its `file_digest`.
    """
    import torch
    from safetensors.torch import save

    floating = {name: each for name, each in weights.items() if each.is_floating_point() and each.numel()}
    if sum(each.numel() for each in floating.values()) > MAX_ELEMENTS:
        return None
    about = {
        "names": json.dumps(list(floating)),
        "digests": json.dumps({name: digest for name, each in floating.items() if (digest := _digest(each))}),
        "file": of_file,
    }
    # Under numbers: a student's tensor may be called as safetensors calls its own header.
    tensors = {
        str(number): each.detach().to(torch.bfloat16, copy=True).contiguous()
        for number, each in enumerate(floating.values())
    }
    return save(tensors, about)


def unpacked(data: bytes) -> Kept:
    """What `packed` made."""
    import torch
    from safetensors.torch import load

    length = int.from_bytes(data[:8], "little")
    about = json.loads(data[8 : 8 + length])["__metadata__"]
    tensors = load(data)
    names = json.loads(about["names"])
    return Kept(
        {name: tensors[str(number)].to(torch.float32).numpy() for number, name in enumerate(names)},
        json.loads(about["digests"]),
        about["file"],
    )


def _digest(tensor: Tensor) -> str | None:
    """Of shape and values, whatever precision they are stored in; None where all are the same."""
    values = tensor.detach().float().contiguous().numpy()
    if values.min() == values.max():
        return None
    shape = "x".join(map(str, values.shape)).encode()
    return hashlib.blake2b(shape + b":" + values.tobytes(), digest_size=_DIGEST_BYTES).hexdigest()
