"""Load what `torch.save` wrote, inside the sandbox and without running more of it than needed.

First with torch's own `weights_only` loader, told about the harmless names that training checkpoints hold. If that
refuses, with an unpickler that knows torch's and NumPy's classes, asks the submission for the student's, and puts an
inert placeholder wherever a file names anything else: a config object of an absent package must not stop us, and
`os.system` must not run.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import datetime as dt
import enum
import importlib
import io
import pathlib
import pickle
import warnings
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Self, cast

import numpy as np

from harness.errors import SubmissionError
from harness.torchvision_import import make_importable
from harness.values.networks import RawWeights
from harness.worker.pickles import numpy_core

ResolveClass = Callable[[str, str], object]

_resolve: ContextVar[ResolveClass | None] = ContextVar("resolve_class", default=None)

_BUILTINS = frozenset(
    {"set", "frozenset", "dict", "list", "tuple", "int", "float", "complex", "bytes", "bytearray", "str", "bool"}
    | {"slice", "range", "object"}
)
_TRUSTED_ROOTS = frozenset({"torch", "torchvision", "numpy", "collections", "argparse", "datetime", "enum"})
_UNTRUSTED = ("torch.jit", "torch.hub", "torch.utils.cpp_extension", "torch.multiprocessing", "torch.distributed")
# What a module keeps as `self.act = F.relu`.
_ACTIVATIONS = frozenset(
    {"relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "mish", "softplus", "softsign"}
    | {"hardswish", "hardsigmoid", "hardtanh", "sigmoid", "tanh"}
)
_BUILDERS = frozenset({"scalar", "_frombuffer", "_reconstructor", "__newobj__", "encode"})


@contextlib.contextmanager
def resolving(resolve_class: ResolveClass | None) -> Iterator[None]:
    """Within the block, `load_checkpoint` finds a student's classes through `resolve_class(module, name)`."""
    token = _resolve.set(resolve_class)
    try:
        yield
    finally:
        _resolve.reset(token)


class Inert(dict[Any, Any]):
    """Stands for an object that is not needed: keeps what it is given, does nothing."""

    def __new__(cls, *_: Any, **__: Any) -> Self:
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        for part in state if isinstance(state, tuple) else (state,):
            if isinstance(part, dict):
                self.__dict__.update({name: value for name, value in part.items() if isinstance(name, str)})

    def __call__(self, *_: Any, **__: Any) -> None:
        """Nothing: pickled hooks and callbacks must not act."""

    def append(self, _: Any) -> None:
        """Accept the items of a pickled list subclass."""

    def extend(self, _: Any) -> None:
        """Accept the items of a pickled list subclass."""

    def add(self, _: Any) -> None:
        """Accept the items of a pickled set subclass."""

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)


def load_checkpoint(path: Path) -> RawWeights:
    """The object that `torch.save` stored, on the CPU.

    Raises:
        SubmissionError: the file is damaged.
    """
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with torch.serialization.safe_globals(_harmless()):
                return RawWeights(torch.load(path, map_location="cpu", weights_only=True))
        except pickle.UnpicklingError:
            return _load_whole(path)
        except (MemoryError, SubmissionError):
            raise
        except Exception as error:
            raise _damaged(error) from error


def _load_whole(path: Path) -> RawWeights:
    import torch

    class Unpickler(_Lenient):  # torch makes instances of its own, so what is met is collected on the class
        unknown: ClassVar[list[str]] = []
        students: ClassVar[list[str]] = []

    module = SimpleNamespace(
        __name__="pickle", Unpickler=Unpickler, load=lambda file, **more: Unpickler(file, **more).load()
    )
    try:
        content = torch.load(path, map_location="cpu", weights_only=False, pickle_module=module)
    except (MemoryError, SubmissionError):
        raise
    except Exception as error:
        raise _damaged(error) from error
    return RawWeights(content, notes=tuple(_met(Unpickler)))


def load_pickle(path: Path) -> RawWeights:
    """What `pickle.dump` wrote: tensors, arrays, modules and plain values; anything else is left out, and said.

    Raises:
        SubmissionError: the file is damaged.
    """

    class Unpickler(_Lenient):
        unknown: ClassVar[list[str]] = []
        students: ClassVar[list[str]] = []

    with warnings.catch_warnings(), path.open("rb") as file:
        warnings.simplefilter("ignore")
        try:
            content = Unpickler(file).load()
        except (MemoryError, SubmissionError):
            raise
        except Exception as error:
            raise _damaged(error) from error
    return RawWeights(content, notes=tuple(_met(Unpickler)))


def _met(unpickler: type[_Lenient]) -> Iterator[str]:
    if unpickler.students:
        yield f"the file is a pickle of the student's own classes: {', '.join(unpickler.students[:5])}"
    if unpickler.unknown:
        yield f"left out of the weights file: {', '.join(unpickler.unknown[:5])}"


def _damaged(error: Exception) -> SubmissionError:
    first = str(error).strip().split("\n")[0][:300]
    return SubmissionError(
        "rejected",
        f"the weights file cannot be read: {type(error).__name__}: {first}",
        "save it again with torch.save(model.state_dict(), …) and load it once yourself",
    )


class _Lenient(pickle.Unpickler):
    unknown: ClassVar[list[str]]
    students: ClassVar[list[str]]

    def find_class(self, module: str, name: str) -> Any:
        full, root = f"{module}.{name}", module.partition(".")[0]
        if full == "torch.storage._load_from_bytes":
            return _load_from_bytes
        if root in {"builtins", "__builtin__"}:
            return super().find_class("builtins", name) if name in _BUILTINS else self._inert(module, name)
        if full in {"_codecs.encode", "copy_reg._reconstructor", "copyreg._reconstructor"}:
            return super().find_class(module.replace("copy_reg", "copyreg"), name)
        if root == "pathlib":
            return pathlib.PurePosixPath
        if root in _TRUSTED_ROOTS:
            return self._trusted(module, name)
        return self._students(module, name)

    def _trusted(self, module: str, name: str) -> Any:
        import torch

        try:
            make_importable(module)
            inner = module.removeprefix("numpy.core.").removeprefix("numpy._core.")
            found: Any = numpy_core(inner) if inner != module else importlib.import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError, RuntimeError):
            return self._inert(module, name)
        builds = name in _BUILDERS or name.startswith(("_rebuild_", "_reconstruct"))
        if module == "torch.nn.functional" and name in _ACTIVATIONS:
            return found
        plain = isinstance(found, type | torch.dtype | torch.layout | torch.memory_format)
        return found if (plain or builds) and not module.startswith(_UNTRUSTED) else self._inert(module, name)

    def _students(self, module: str, name: str) -> Any:
        resolve = _resolve.get()
        try:
            found = resolve(module, name) if resolve else None
        except (SubmissionError, LookupError, AttributeError, ImportError):
            found = None
        if found is None:
            return self._inert(module, name)
        self.students.append(f"{module}.{name}")
        return found

    def _inert(self, module: str, name: str) -> Any:
        self.unknown.append(f"{module}.{name}"[:100])
        return type(name.rpartition(".")[2], (Inert,), {"__module__": module})


def _load_from_bytes(data: bytes) -> Any:
    import torch

    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def _harmless() -> list[Any]:
    """What training checkpoints hold beside tensors, under both of NumPy's spellings."""
    named: list[Any] = [
        (getattr(numpy_core(module), name), f"numpy.{core}.{module}.{name}")
        for module, name in (("multiarray", "scalar"), ("multiarray", "_reconstruct"), ("numeric", "_frombuffer"))
        for core in ("core", "_core")
    ]
    named += [(pathlib.PurePosixPath, f"{module}.{name}") for module in ("pathlib", "pathlib._local")
              for name in ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")]  # fmt: skip
    named += [(kind, f"{module}.{kind.__name__}") for module in ("builtins", "__builtin__")
              for kind in (list, dict, set, int, float)]  # fmt: skip
    types = [each for each in vars(np.dtypes).values() if isinstance(each, type)]
    return [
        *named, *types, np.ndarray, np.dtype, argparse.Namespace, collections.defaultdict, collections.deque,
        dt.datetime, dt.timedelta, enum.Enum, cast("Any", importlib.import_module("_codecs")).encode,
    ]  # fmt: skip
