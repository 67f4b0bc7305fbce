"""Hand memory to a worker as a file descriptor: images it may only read, and space it may only fill.

On Linux these are memfds with seals (`man 2 memfd_create`), so neither side can truncate what the other maps; elsewhere
an unlinked temporary file has to do.
"""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def sealed(tensor: Tensor) -> int:
    """A descriptor of read-only memory that holds the tensor's elements in order; the caller closes it."""
    descriptor = _anonymous_file("images")
    # numpy's buffer, not bytes(): one copy of what may be hundreds of megabytes.
    view = tensor.contiguous().numpy().data.cast("B")
    written = 0
    while written < len(view):
        written += os.write(descriptor, view[written : written + 2**28])
    _seal(descriptor, write=True)
    return descriptor


def space(size_bytes: int) -> int:
    """A descriptor of zeroed memory of fixed size; the caller closes it."""
    descriptor = _anonymous_file("logits")
    os.ftruncate(descriptor, size_bytes)
    _seal(descriptor, write=False)
    return descriptor


def mapped(descriptor: int, dtype: Any, shape: tuple[int, ...]) -> Tensor:
    """The memory behind `descriptor` as a tensor without a copy; writing to sealed memory is a segmentation fault.

    Args:
        dtype: a NumPy dtype.

    Raises:
        ValueError: the memory is smaller than `shape` needs.
    """
    import numpy as np
    import torch

    size = int(np.dtype(dtype).itemsize * np.prod(shape))
    try:
        memory = mmap.mmap(descriptor, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    except PermissionError:
        memory = mmap.mmap(descriptor, size, mmap.MAP_SHARED, mmap.PROT_READ)
    array = np.frombuffer(memory, dtype=dtype).reshape(shape)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def _anonymous_file(name: str) -> int:
    if sys.platform == "linux":
        return os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _seal(descriptor: int, *, write: bool) -> None:
    if sys.platform == "linux":
        import fcntl

        seals = fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals | (fcntl.F_SEAL_WRITE if write else 0))
