"""Decode the common containers of weights: torch's two, safetensors and npz, whole or in shards."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO

from harness.api import SubmissionError, WeightFormat, hookimpl
from harness.api.worker import head_and_tail, load_checkpoint, unpickle_arrays
from harness_formats.foreign import FOREIGN
from harness_formats.shards import Sharded
from harness_formats.zips import opened_zip, zip_names

_TORCH_MAGIC = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e"
_UNPACKED_LIMIT_BYTES = 1 << 30
_HINT = "hand in torch.save(model.state_dict(), …)"


class TorchZip:
    """What `torch.save` writes since 1.6."""

    name = "torch-zip"

    def recognises(self, file: BinaryIO) -> bool:
        names = zip_names(file)
        tops = {name.split("/", 1)[0] for name in names if "/" in name}
        saved = any({f"{top}/version", f"{top}/data.pkl"} <= names for top in tops)
        return saved and not any(each.recognises(file) for each in FOREIGN)

    def decode(self, path: Path) -> Any:
        """Whatever was saved, on the CPU."""
        entries = _entries(path)
        packed = next((each.filename for each in entries if each.compress_type != zipfile.ZIP_STORED), None)
        if packed:
            raise SubmissionError.rejected(
                f"{packed!r} inside the weights file is compressed, which torch.save never does", _HINT
            )
        return load_checkpoint(path)


class TorchLegacy:
    """What `torch.save` wrote before 1.6, or writes with `_use_new_zipfile_serialization=False`."""

    name = "torch-legacy"

    def recognises(self, file: BinaryIO) -> bool:
        head, _ = head_and_tail(file)
        return head[:1] == b"\x80" and _TORCH_MAGIC in head

    def decode(self, path: Path) -> Any:
        """Whatever was saved, on the CPU."""
        return load_checkpoint(path)


class Safetensors:
    """`safetensors.torch.save_file`: an 8-byte length, a JSON header, raw tensors."""

    name = "safetensors"

    def recognises(self, file: BinaryIO) -> bool:
        head, _ = head_and_tail(file, 16)
        if len(head) < 10:
            return False
        length = struct.unpack("<Q", head[:8])[0]
        if length > 100_000_000 or head[8:9] != b"{":
            return False
        file.seek(8 + max(0, length - 8))
        return file.read(min(8, length)).rstrip(b" ").endswith(b"}")

    def decode(self, path: Path) -> dict[str, Any]:
        """The tensors in the order of their data, and those that were left out as the same as another.

        `save_model` writes tied tensors once; the header's metadata says under which other name.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt", device="cpu") as file:
                names = _by_offset(path)
                # Copies, since tensors may be views of one mapping of the whole file.
                tensors = {name: file.get_tensor(name).clone() for name in names}
                return tensors | _tied(tensors, file.metadata() or {})
        except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
            raise SubmissionError.rejected(f"the safetensors file cannot be read: {error}", _HINT) from error


def _tied(tensors: Mapping[str, Any], metadata: Mapping[str, str]) -> dict[str, Any]:
    return {name: tensors[kept] for name, kept in metadata.items() if name not in tensors and kept in tensors}


def _by_offset(path: Path) -> list[str]:
    with path.open("rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    header.pop("__metadata__", None)
    return sorted(header, key=lambda name: header[name]["data_offsets"])


class Npz:
    """`numpy.savez` and `savez_compressed`: of arrays, or of one dict as `savez_compressed(weights=state)`."""

    name = "npz"

    def recognises(self, file: BinaryIO) -> bool:
        names = zip_names(file)
        return bool(names) and all(name.endswith(".npy") for name in names)

    def decode(self, path: Path) -> dict[str, Any]:
        """Arrays by name; an object array of shape () stands for what it holds."""
        entries = _entries(path)
        if sum(each.file_size for each in entries) > _UNPACKED_LIMIT_BYTES:
            raise SubmissionError.rejected("the npz file unpacks to more than a gigabyte", _HINT)
        content: dict[str, Any] = {}
        try:
            with zipfile.ZipFile(path) as archive:
                for info in entries:
                    with archive.open(info) as file:
                        content[info.filename.removesuffix(".npy")] = _array(file, info.file_size)
        except (zipfile.BadZipFile, ValueError, EOFError, OSError, NotImplementedError, SyntaxError) as error:
            raise SubmissionError.rejected(f"the npz file cannot be read: {error}", _HINT) from error
        return content


class Npy:
    """`numpy.save` of a dict of arrays; an array of numbers alone is data, not weights."""

    name = "npy"

    def recognises(self, file: BinaryIO) -> bool:
        file.seek(0)
        head = file.read(128)
        return head.startswith(b"\x93NUMPY") and b"'descr': '|O'" in head and b"'shape': ()" in head

    def decode(self, path: Path) -> Any:
        """What the array of shape () holds."""
        try:
            with path.open("rb") as file:
                return _array(file, path.stat().st_size)
        except (ValueError, EOFError, OSError, SyntaxError) as error:
            raise SubmissionError.rejected(f"the npy file cannot be read: {error}", _HINT) from error


def _array(file: IO[bytes], size_bytes: int) -> Any:
    import numpy as np

    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"unknown version {version} of the npy format")
    shape, fortran, dtype = read(file)
    if dtype.hasobject:
        held = unpickle_arrays(file)
        return held.item() if isinstance(held, np.ndarray) and held.shape == () else held
    data = file.read(size_bytes)
    array = np.frombuffer(data, dtype=dtype, count=int(np.prod(shape, dtype=np.int64)))
    return array.reshape(shape, order="F" if fortran else "C")


def _entries(path: Path) -> list[zipfile.ZipInfo]:
    with path.open("rb") as file, opened_zip(file) as archive:
        if archive is None:
            raise SubmissionError.rejected("the weights file is a damaged archive", _HINT)
        return archive.infolist()


@hookimpl
def harness_weight_formats() -> Iterable[WeightFormat]:
    containers: list[WeightFormat] = [TorchZip(), TorchLegacy(), Safetensors(), Npz(), Npy()]
    return [*containers, Sharded(containers), *FOREIGN]
