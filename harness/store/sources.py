"""Pack sources that are kept after grading: text by file, compressed.

What is made of them is decided when they are read: other options of a comparison need nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import zstandard

_MAX_BYTES = 16 << 20


def packed(texts: Mapping[str, str]) -> bytes:
    """The document for the store.

    Args:
        texts: by file.
    """
    return zstandard.compress(json.dumps(dict(texts)).encode("ascii"))


def unpacked(data: bytes) -> dict[str, str]:
    """What `packed` made.

    Raises:
        ValueError, zstandard.ZstdError: it is damaged.
    """
    found = json.loads(zstandard.decompress(data, max_output_size=_MAX_BYTES))
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise ValueError("not sources by file")
    return found
