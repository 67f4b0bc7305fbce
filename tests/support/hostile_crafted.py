"""Hostile hand-ins that are not a source file: weights files with payloads and bombs, archives and odd folders."""

from __future__ import annotations

import io
import json
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

Make = Callable[[Path, Mapping[str, str], dict[str, Any], str], None]


@dataclass(frozen=True)
class Crafted:
    """Attributes:
    make: (path without suffix, honest sources, honest weights, the folder outside) -> writes the hand-in.
    """

    status: str
    reason: str | None
    make: Make


class _Payload:
    """Runs a line of Python wherever it is unpickled, and leaves a file outside if it can."""

    def __init__(self, name: str, outside: str) -> None:
        self.code = f"import os; os.write(1, b'BREACH: unpickled {name}\\n'); open('{outside}/unpickled-by-{name}', 'w').close()"

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (self.code,)


def _weights(name: str, content: Callable[[Path, dict[str, Any], _Payload], bytes | None]) -> Make:
    """A folder with honest sources and the weights file that `content` writes or returns."""

    def make(folder: Path, sources: Mapping[str, str], state: dict[str, Any], outside: str) -> None:
        _write(folder, sources)
        data = content(folder / name, state, _Payload(folder.name, outside))
        if data is not None:
            (folder / name).write_bytes(data)

    return make


def _write(folder: Path, sources: Mapping[str, str]) -> None:
    folder.mkdir(parents=True)
    for name, text in sources.items():
        (folder / name).write_text(text)


def _saved(content: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


# ------------------------------------------------------------------ payloads


def _hw7(path: Path, state: dict[str, Any], payload: _Payload) -> bytes:
    coded = {}
    for name, each in state.items():
        low, high = np.float64(each.min()), np.float64(each.max())
        coded[name] = (low, high, np.round((each.numpy() - low) / max(high - low, 1e-9) * 255).astype(np.uint8))
    return pickle.dumps({**coded, "payload": payload}, protocol=3)


def _npz(path: Path, state: dict[str, Any], payload: _Payload) -> None:
    arrays = {name: each.numpy() for name, each in state.items()}
    np.savez(path, weights=np.array({**arrays, "payload": payload}, dtype=object))


class _FromBytes:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def __reduce__(self) -> tuple[Any, ...]:
        return torch.storage._load_from_bytes, (self.data,)


def _nested(path: Path, state: dict[str, Any], payload: _Payload) -> bytes:
    """A pickle inside a pickle, by a function of torch's that loads one."""
    inner = _saved(payload, _use_new_zipfile_serialization=False)
    return _saved({**state, "payload": _FromBytes(inner)})


def _torchscript(path: Path, state: dict[str, Any], payload: _Payload) -> bytes:
    """An archive that torch.load hands on to the loader of TorchScript, which runs code."""
    return _rezipped(
        _saved({**state, "payload": payload}), zipfile.ZIP_STORED, {"constants.pkl": b"\x80\x02).", "code/x.py": b""}
    )


def _exported(path: Path, state: dict[str, Any], payload: _Payload) -> bytes:
    """What torch.export writes, in outline: its loader runs code of the file's."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("model/archive_format", "pt2")
        archive.writestr("model/archive_version", "0")
        archive.writestr("model/data/weights/payload.pt", _saved(payload))
        archive.writestr("model/models/model.json", "{}")
    return buffer.getvalue()


# ------------------------------------------------------------------ bombs


def _rezipped(data: bytes, method: int, more: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", method) as new:
        for item in old.infolist():
            new.writestr(item.filename, old.read(item))
        for name, each in more.items():
            new.writestr(f"{old.namelist()[0].partition('/')[0]}/{name}", each)
    return buffer.getvalue()


def _deflated(path: Path, state: dict[str, Any], payload: _Payload) -> bytes:
    return _rezipped(_saved({**state, "large": torch.zeros(50 << 20, dtype=torch.uint8)}), zipfile.ZIP_DEFLATED, {})


def _strided(path: Path, state: dict[str, Any], payload: _Payload) -> bytes:
    return _saved({**state, "fc.weight": torch.zeros(1).expand(10**10)})


def _npz_bomb(path: Path, state: dict[str, Any], payload: _Payload) -> None:
    np.savez_compressed(
        path, **{name: each.numpy() for name, each in state.items()}, large=np.zeros(70 << 20, np.uint8)
    )


def _safetensors(shape: list[int], header_bytes: int | None = None) -> Callable[..., bytes]:
    header = json.dumps({"fc.weight": {"dtype": "F32", "shape": shape, "data_offsets": [0, 4]}}).encode()

    def content(path: Path, state: dict[str, Any], payload: _Payload) -> bytes:
        return (header_bytes or len(header)).to_bytes(8, "little") + header + b"\0" * 4

    return content


# ------------------------------------------------------------------ folders and archives


def _linked(target: str) -> Make:
    def make(folder: Path, sources: Mapping[str, str], state: dict[str, Any], outside: str) -> None:
        _write(folder, sources)
        (folder / "weights.pt").symlink_to(target.format(outside=outside, neighbour=folder.parent / "neighbour"))

    return make


def _fifo(folder: Path, sources: Mapping[str, str], state: dict[str, Any], outside: str) -> None:
    """Opening it would wait for ever."""
    _write(folder, sources)
    os.mkfifo(folder / "weights.pt")


def _tar(change: Callable[[tarfile.TarInfo, str], None]) -> Make:
    def make(path: Path, sources: Mapping[str, str], state: dict[str, Any], outside: str) -> None:
        with tarfile.open(path.with_suffix(".tar.gz"), "w:gz") as archive:
            for name, data in {
                **{name: text.encode() for name, text in sources.items()},
                "weights.pt": _saved(state),
            }.items():
                item = tarfile.TarInfo(f"work/{name}")
                item.size = len(data)
                archive.addfile(item, io.BytesIO(data))
            item = tarfile.TarInfo("work/more.py")
            change(item, outside)
            archive.addfile(item)

    return make


def _link(item: tarfile.TarInfo, outside: str) -> None:
    item.type, item.linkname = tarfile.SYMTYPE, f"{outside}/secret.txt"


def _hard_link(item: tarfile.TarInfo, outside: str) -> None:
    item.type, item.linkname = tarfile.LNKTYPE, f"../../..{outside}/secret.txt"


def _device(item: tarfile.TarInfo, outside: str) -> None:
    item.type, item.devmajor, item.devminor = tarfile.CHRTYPE, 1, 5


def _zip(name: str) -> Make:
    def make(path: Path, sources: Mapping[str, str], state: dict[str, Any], outside: str) -> None:
        with zipfile.ZipFile(path.with_suffix(".zip"), "w") as archive:
            for each, text in sources.items():
                archive.writestr(each, text)
            archive.writestr("weights.pt", _saved(state))
            archive.writestr(name.format(outside=outside), "written through a name")

    return make


def _zip_bomb(path: Path, sources: Mapping[str, str], state: dict[str, Any], outside: str) -> None:
    with zipfile.ZipFile(path.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("model.py", sources["model.py"])
        archive.writestr("data.bin", b"\0" * (200 << 20))


def _deep_source(folder: Path, sources: Mapping[str, str], state: dict[str, Any], outside: str) -> None:
    """Brackets and operators nested deeper than parsers and compilers recurse."""
    deep = "x = " + "-" * 90_000 + "1\n"
    _write(folder, {**sources, "model.py": deep + sources["model.py"]})
    torch.save(state, folder / "weights.pt")


def _deep_notebook(folder: Path, sources: Mapping[str, str], state: dict[str, Any], outside: str) -> None:
    _write(folder, {**sources, "notes.ipynb": '{"cells":' * 60_000})
    torch.save(state, folder / "weights.pt")


EVIL_NAME = "\x1b]0;pwned\x07\x1b[31m=1+1<script>alert(1)</script>\u202egnp"


def _evil_names(folder: Path, sources: Mapping[str, str], state: dict[str, Any], outside: str) -> None:
    """Names that retitle terminals, calculate in spreadsheets and run in browsers."""
    evil = json.dumps(EVIL_NAME)  # a JSON string is a TOML string
    _write(folder, {**sources, "submission.toml": f"nickname = {evil}\nmembers = [{evil}]\n"})
    torch.save(state, folder / "weights.pt")
    (folder / "\x1b[2J\x1b]0;pwned\x07.txt").write_text("a name")


CRAFTED: Mapping[str, Crafted] = {
    "payload_zip": Crafted("graded", None, _weights("weights.pt", lambda _, state, evil: _saved({**state, "payload": evil}))),
    "payload_legacy": Crafted(
        "graded",
        None,
        _weights(
            "weights.pt",
            lambda _, state, evil: _saved({**state, "payload": evil}, _use_new_zipfile_serialization=False),
        ),
    ),
    "payload_whole": Crafted("rejected", "there is no state_dict", _weights("weights.pth", lambda _, state, evil: _saved(evil))),
    "payload_hw7": Crafted("rejected", "asks for builtins.exec", _weights("weights.pkl", _hw7)),
    "payload_npz": Crafted("rejected", "asks for builtins.exec", _weights("weights.npz", _npz)),
    "payload_nested": Crafted("rejected", "cannot be read", _weights("weights.pt", _nested)),
    "payload_torchscript": Crafted("rejected", "is a TorchScript program", _weights("weights.pt", _torchscript)),
    "payload_export": Crafted("rejected", "is an exported program", _weights("weights.pt2.pt", _exported)),
    "bomb_deflated": Crafted("rejected", "is compressed, which torch.save never does", _weights("weights.pt", _deflated)),
    "bomb_stride": Crafted("rejected", "unpack to 10,000,000,004 elements", _weights("weights.pt", _strided)),
    "bomb_npz": Crafted("rejected", "unpack to 73,401,092 elements", _weights("weights.npz", _npz_bomb)),
    "bomb_safetensors_shape": Crafted("rejected", "cannot be read", _weights("weights.safetensors", _safetensors([10**12]))),
    "bomb_safetensors_header": Crafted("rejected", "not a weights file", _weights("weights.safetensors", _safetensors([1], 2**62))),
    "bomb_archive": Crafted("rejected", "unpacks to more than", _zip_bomb),
    "link_to_a_secret": Crafted("rejected", "is a link that leaves the submission", _linked("{outside}/secret.txt")),
    "link_to_a_neighbour": Crafted("rejected", "is a link that leaves the submission", _linked("{neighbour}/weights.pt")),
    "link_to_a_device": Crafted("rejected", "is a link that leaves the submission", _linked("/dev/zero")),
    "link_in_tar": Crafted("rejected", "is a link that leaves the submission", _tar(_link)),
    "hard_link_in_tar": Crafted("rejected", "leaves it", _tar(_hard_link)),
    "device_in_tar": Crafted("rejected", "is a device, pipe or socket", _tar(_device)),
    "dots_in_zip": Crafted("rejected", "leaves it", _zip("../../outside/written-by-dots_in_zip")),
    "absolute_in_zip": Crafted("rejected", "absolute name", _zip("{outside}/written-by-absolute_in_zip")),
    "fifo_in_folder": Crafted("rejected", "is a device, pipe or socket", _fifo),
    "deep_source": Crafted("rejected", "nested too deeply", _deep_source),
    "deep_notebook": Crafted("graded", None, _deep_notebook),
    "evil_names": Crafted("graded", None, _evil_names),
}  # fmt: skip
