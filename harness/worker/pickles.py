"""Unpickle safely, and define what weight formats return when plain tensors do not say everything.

Importing this module imports neither torch nor NumPy.
"""

from __future__ import annotations

import importlib
import io
import pickle
from typing import IO, Any, BinaryIO

from harness.errors import SubmissionError

_ARRAY_GLOBALS = {
    "multiarray": {"_reconstruct", "scalar"},
    "numeric": {"_frombuffer"},  # what protocol 5 writes instead of _reconstruct
    "numpy": {"ndarray", "dtype"},
}
_REFUSAL_HINT = "save the model with torch.save(model.state_dict(), …), or as the course's code does"


class _ArraysOnly(pickle.Unpickler):
    """Builds NumPy arrays and scalars and plain Python values; every other name is refused."""

    def find_class(self, module: str, name: str) -> Any:
        package, _, short = module.rpartition(".")
        if package not in {"numpy.core", "numpy._core"} and module != "numpy":
            short = ""
        if name not in _ARRAY_GLOBALS.get(short, ()):
            raise SubmissionError(
                "rejected", f"the pickle asks for {module}.{name}, which weights have no use for", _REFUSAL_HINT
            )
        return getattr(importlib.import_module("numpy") if short == "numpy" else numpy_core(short), name)


def numpy_core(module: str) -> Any:
    """NumPy's inner module; NumPy 2 renamed the package, and either spelling must load on either version."""
    try:
        return importlib.import_module(f"numpy._core.{module}")
    except ModuleNotFoundError:
        return importlib.import_module(f"numpy.core.{module}")


def unpickle_arrays(file: IO[bytes]) -> Any:
    """Unpickle NumPy arrays, scalars and plain values, for use in the sandbox.

    Raises:
        SubmissionError: the pickle is damaged or asks for anything else.
    """
    try:
        return _ArraysOnly(file).load()
    except SubmissionError:
        raise
    except Exception as error:
        raise SubmissionError(
            "rejected", f"the pickle is damaged: {type(error).__name__}: {error}", _REFUSAL_HINT
        ) from error


def head_and_tail(file: BinaryIO, length_bytes: int = 64) -> tuple[bytes, bytes]:
    """The first and last bytes of a file, for recognising its format."""
    file.seek(0)
    head = file.read(length_bytes)
    end = file.seek(0, io.SEEK_END)
    file.seek(max(0, end - length_bytes))
    return head, file.read(length_bytes)
