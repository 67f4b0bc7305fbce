"""Send and receive frames between the grader and a worker, over one UNIX stream socket.

A frame is two lengths, a JSON header and a safetensors payload; file descriptors (shared images, space for logits)
ride along with the first byte. Both sides use this module, but only the grader's side is under attack: it bounds every
length before it allocates, parses JSON and safetensors only, and never unpickles.

    | u32 header bytes | u64 payload bytes | header: {"kind", "facts", "order"} | payload |
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import struct
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

_LENGTHS = struct.Struct("<IQ")
MAX_HEADER_BYTES = 8 * 2**20
MAX_TENSORS = 5_000
"""Of a network or a file. The largest in torchvision have fewer than two thousand; each costs time at every request."""
MAX_NAMES_CHARACTERS = 1 << 20
"""Of all names of a network or a file together."""
MAX_NAME_CHARACTERS = 512
MAX_NAME_PARTS = 64
"""Between dots. Names are matched, and what is matched by its parts takes as long as there are parts."""
_MAX_DESCRIPTORS = 4
_TICK_SECONDS = 0.05


class ChannelClosed(Exception):
    """The other side is gone."""


class ChannelTimeout(Exception):
    """No complete frame before the deadline."""


class BrokenFrame(Exception):
    """What arrived is not a frame, or larger than agreed."""


@dataclass(frozen=True, slots=True)
class Frame:
    kind: str
    facts: dict[str, Any]
    tensors: dict[str, Tensor]
    descriptors: tuple[int, ...] = ()


def send(
    channel: socket.socket,
    kind: str,
    facts: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    descriptors: Sequence[int] = (),
    *,
    deadline: float | None = None,
    tick: Callable[[], None] | None = None,
) -> None:
    """Write one frame.

    Args:
        deadline: on the clock of `time.monotonic()`; None waits forever.
        tick: called a few times a second while nobody reads; may raise to give up.

    Raises:
        ChannelClosed: nobody reads any more.
        ChannelTimeout: nobody reads in time.
    """
    payload = _packed(tensors) if tensors else b""
    header = json.dumps({"kind": kind, "facts": facts, "order": list(tensors)}).encode()
    try:
        lengths = _LENGTHS.pack(len(header), len(payload))
        if descriptors:
            socket.send_fds(channel, [lengths], list(descriptors))
            lengths = b""
        for part in (lengths, header, payload):
            _write(channel, memoryview(part), deadline, tick)
    except OSError as error:
        raise ChannelClosed(str(error)) from error


def _write(channel: socket.socket, part: memoryview, deadline: float | None, tick: Callable[[], None] | None) -> None:
    while part:
        _wait(channel, deadline, tick, writing=True)
        with contextlib.suppress(BlockingIOError):
            part = part[channel.send(part, socket.MSG_DONTWAIT) :]


def _wait(
    channel: socket.socket, deadline: float | None, tick: Callable[[], None] | None, *, writing: bool = False
) -> None:
    """Return when the channel can be read, or written.

    Raises:
        ChannelTimeout: the deadline has come.
    """
    ours = [channel]
    while True:
        left = _TICK_SECONDS if deadline is None else min(_TICK_SECONDS, deadline - time.monotonic())
        if left <= 0:
            raise ChannelTimeout
        found = select.select([] if writing else ours, ours if writing else [], [], left if tick or deadline else None)
        if any(found):
            return
        if tick:
            tick()


def receive(
    channel: socket.socket,
    *,
    max_payload_bytes: int,
    deadline: float | None = None,
    tick: Callable[[], None] | None = None,
    accept_descriptors: bool = False,
) -> Frame:
    """Read one frame.

    Args:
        deadline: on the clock of `time.monotonic()`; None waits forever.
        tick: called a few times a second while waiting; may raise to give up.
        accept_descriptors: whether file descriptors may come along (the worker's side only).

    Raises:
        ChannelClosed, ChannelTimeout, BrokenFrame: see there.
    """
    reader = _Reader(channel, deadline, tick, accept_descriptors)
    header_bytes, payload_bytes = _LENGTHS.unpack(reader.exactly(_LENGTHS.size))
    if header_bytes > MAX_HEADER_BYTES or payload_bytes > max_payload_bytes:
        raise BrokenFrame(f"a frame of {header_bytes:,} + {payload_bytes:,} bytes is larger than agreed")
    header, payload = reader.exactly(header_bytes), reader.exactly(payload_bytes)
    try:
        return _parsed(bytes(header), bytes(payload), tuple(reader.descriptors))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BrokenFrame(f"not a frame: {type(error).__name__}") from error


def _packed(tensors: Mapping[str, Tensor]) -> bytes:
    import safetensors.torch  # and with it torch, which a grader that only waits can do without

    # Sorted by safetensors, so the order of the file travels beside them; cloned because tied tensors may not share.
    packed: bytes = safetensors.torch.save({name: each.contiguous().clone() for name, each in tensors.items()})
    return packed


def _unpacked(payload: bytes) -> dict[str, Tensor]:
    import safetensors
    import safetensors.torch

    try:
        return safetensors.torch.load(payload)
    except safetensors.SafetensorError as error:
        raise ValueError(str(error)) from error


def _parsed(header: bytes, payload: bytes, descriptors: tuple[int, ...]) -> Frame:
    document = _storable(json.loads(header.decode("utf-8", "replace")))
    kind, facts, order = document["kind"], document["facts"], document["order"]
    if not (isinstance(kind, str) and isinstance(facts, dict) and isinstance(order, list)):
        raise TypeError("kind, facts, order")
    if not can_be_matched(order, 4):
        raise ValueError("names")
    tensors = _unpacked(payload) if payload else {}
    return Frame(kind, facts, {name: tensors[name] for name in order}, descriptors)


def can_be_matched(names: Collection[str], times: int = 1) -> bool:
    """Whether these can be the names of a network's tensors: so many, so long, of so many parts, and Unicode.

    Args:
        times: as many as so many networks may have; a frame may hold masks and answers beside the weights.
    """
    if len(names) > times * MAX_TENSORS or not all(isinstance(each, str) for each in names):
        return False
    longest, whole = max(map(len, names), default=0), sum(map(len, names))
    parts = max((each.count(".") for each in names), default=0)
    if longest > MAX_NAME_CHARACTERS or whole > times * MAX_NAMES_CHARACTERS or parts >= MAX_NAME_PARTS:
        return False
    with contextlib.suppress(UnicodeEncodeError):  # half a character, which nothing can write
        "".join(names).encode()
        return True
    return False


TOO_MANY_NAMES = (
    f"more than {MAX_TENSORS:,} tensors, or names of more than {MAX_NAME_CHARACTERS} characters or {MAX_NAME_PARTS} "
    f"parts, or of more than {MAX_NAMES_CHARACTERS:,} characters in all, or that are no Unicode"
)


def _storable(value: Any) -> Any:
    """The same with U+FFFD for halves of characters, which JSON can write but neither UTF-8 nor a database can."""
    match value:
        case str():
            return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_storable(each) for each in value]
        case dict():
            return {_storable(name): _storable(each) for name, each in value.items()}
        case _:
            return value


class _Reader:
    def __init__(
        self, channel: socket.socket, deadline: float | None, tick: Callable[[], None] | None, accept: bool
    ) -> None:
        self.channel, self.deadline, self.tick, self.accept = channel, deadline, tick, accept
        self.descriptors: list[int] = []

    def exactly(self, count: int) -> bytearray:
        buffer = bytearray(count)
        view, filled = memoryview(buffer), 0
        while filled < count:
            _wait(self.channel, self.deadline, self.tick)
            filled += self._some(view[filled:])
        return buffer

    def _some(self, view: memoryview) -> int:
        try:
            if not self.accept:
                received = self.channel.recv_into(view)
            else:
                data, descriptors, _, _ = socket.recv_fds(self.channel, min(len(view), 2**20), _MAX_DESCRIPTORS)
                self.descriptors += descriptors
                received = len(data)
                view[:received] = data
        except OSError as error:
            raise ChannelClosed(str(error)) from error
        if not received:
            raise ChannelClosed("end of file")
        return received
