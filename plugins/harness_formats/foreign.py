"""Recognise networks in forms that hold more than weights, to refuse each by its name and with what to do.

They are programs, or another framework's: running one is never needed, and reading `torch.export`'s runs code.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn

from harness.api import SubmissionError
from harness_formats.zips import zip_names

_EXPORTED = ("models/model.json", "archive_format", "serialized_exported_program.json")
_SCRIPTED = ("constants.pkl", "bytecode.pkl")
_SAVE = "torch.save(model.state_dict(), 'weights.pt')"
_MOST_FIELDS = 10_000
# Fields of ONNX's ModelProto and their wire types: onnx/onnx.proto, message ModelProto.
_ONNX_FIELDS = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
_ONNX_GRAPH = 7


class Foreign:
    """Refuses whole networks in this form, recognised by content: weights alone are handed in.

    Attributes:
        only_refused: it counts as a weights file only where there is no other.
    """

    only_refused = True

    def __init__(self, name: str, what: str, hint: str, recognises: Callable[[BinaryIO], bool]) -> None:
        self.name, self._what, self._hint, self._recognises = name, what, hint, recognises

    def recognises(self, file: BinaryIO) -> bool:
        return self._recognises(file)

    def decode(self, path: Path) -> NoReturn:
        """Refuse it."""
        raise SubmissionError.rejected(f"{path.name} is {self._what}, not weights alone", self._hint)


def _holds(*marks: str) -> Callable[[BinaryIO], bool]:
    def recognises(file: BinaryIO) -> bool:
        names = zip_names(file)
        return any(name == mark or name.endswith(f"/{mark}") for name in names for mark in marks)

    return recognises


def _starts(*heads: bytes, at: int = 0) -> Callable[[BinaryIO], bool]:
    def recognises(file: BinaryIO) -> bool:
        file.seek(at)
        return file.read(max(map(len, heads))).startswith(heads)

    return recognises


def _is_onnx(file: BinaryIO) -> bool:
    """Whether the file is, from end to end, the fields of an ONNX model, its version first and a graph among them."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if file.read(1) != b"\x08" or size < 16:
        return False
    file.seek(0)
    fields = []
    for field in _fields(file, size):
        if field is None:
            return False
        fields.append(field)
    return _ONNX_GRAPH in fields and fields[0] == 1


def _fields(file: BinaryIO, size: int) -> Iterator[int | None]:
    """The numbers of a protobuf message's fields; None where it is none of ONNX's."""
    for _ in range(_MOST_FIELDS):
        if file.tell() == size:
            return
        key = _varint(file)
        number, wire = (key >> 3, key & 7) if key is not None else (0, 0)
        length = _varint(file) if _ONNX_FIELDS.get(number) == wire else None
        if length is None or (wire == 2 and file.tell() + length > size):
            yield None
            return
        if wire == 2:
            file.seek(length, io.SEEK_CUR)
        yield number
    yield None


def _varint(file: BinaryIO) -> int | None:
    value = 0
    for shift in range(0, 64, 7):
        byte = file.read(1)
        if not byte:
            return None
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
    return None


FOREIGN = (
    Foreign(
        "exported-program",
        "an exported program (torch.export or a compiled .pt2)",
        f"save the weights of the network it was exported from: {_SAVE}; or, with torch: "
        "torch.save(torch.export.load('model.pt2').state_dict, 'weights.pt')",
        _holds(*_EXPORTED),
    ),
    Foreign(
        "torchscript",
        "a TorchScript program",
        f"save the weights of the network it was made from: {_SAVE}; or, with torch: "
        "torch.save(torch.jit.load('model.pt').state_dict(), 'weights.pt')",
        _holds(*_SCRIPTED),
    ),
    Foreign("onnx", "an ONNX model", f"save the weights of the network it was exported from: {_SAVE}", _is_onnx),
    Foreign(
        "hdf5", "an HDF5 file, as Keras writes", f"hand in a PyTorch network: {_SAVE}", _starts(b"\x89HDF\r\n\x1a\n")
    ),
    Foreign("tflite", "a TensorFlow Lite model", f"hand in a PyTorch network: {_SAVE}", _starts(b"TFL3", at=4)),
)
