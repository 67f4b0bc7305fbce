"""Read the index of a network that was saved in several files."""

from __future__ import annotations

import io
import json
import re
from typing import BinaryIO

_MOST_BYTES = 4 << 20
_MARK = b'"weight_map"'
_NUMBERED = re.compile(r".*-(\d{5})-of-(\d{5})\.[a-z]+", re.IGNORECASE)


def shards_of(file: BinaryIO) -> tuple[str, ...]:
    """The names of the files that an index puts together, in its order; none where the file is no such index.

    Only plain names count: all lie beside their index.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if size > _MOST_BYTES or not file.read(64).lstrip().startswith(b"{"):
        return ()
    file.seek(0)
    text = file.read()
    if _MARK not in text:
        return ()
    try:
        index = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    named = index.get("weight_map") if isinstance(index, dict) else None
    names = list(named.values()) if isinstance(named, dict) else []
    return tuple(dict.fromkeys(names)) if all(map(_is_plain, names)) else ()


def _is_plain(name: object) -> bool:
    return isinstance(name, str) and name not in {"", ".", ".."} and not set(name) & set("/\\\0")


def looks_like_shard(name: str) -> bool:
    """Whether a file is called like one of several: `model-00001-of-00003.safetensors`."""
    return bool(_NUMBERED.fullmatch(name))
