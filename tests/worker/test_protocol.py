"""Frames, and what a hostile other side can do to them."""

import json
import os
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from harness.worker.protocol import BrokenFrame, ChannelClosed, ChannelTimeout, receive, send
from harness.worker.shared_memory import mapped, sealed, space


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def raw(header: bytes, payload: bytes = b"") -> bytes:
    return struct.pack("<IQ", len(header), len(payload)) + header + payload


def test_a_frame_arrives_as_it_was_sent_in_the_same_order(pair):
    ours, theirs = pair
    shared = torch.arange(6.0)
    tensors = {"z": shared.view(2, 3), "a": shared[:2], "half": torch.ones(3, dtype=torch.float16)}
    send(ours, "logits", {"x": [1, "ü"]}, tensors)
    frame = receive(theirs, max_payload_bytes=10_000)
    assert (frame.kind, frame.facts, list(frame.tensors)) == ("logits", {"x": [1, "ü"]}, ["z", "a", "half"])
    for name, tensor in tensors.items():
        assert frame.tensors[name].dtype == tensor.dtype
        assert torch.equal(frame.tensors[name], tensor)


def test_descriptors_travel_to_the_worker_only(pair):
    ours, theirs = pair
    read_end, write_end = os.pipe()
    send(ours, "x", {}, {}, [write_end])
    frame = receive(theirs, max_payload_bytes=0, accept_descriptors=True)
    os.write(frame.descriptors[0], b"!")
    assert os.read(read_end, 1) == b"!"
    send(theirs, "x", {}, {}, [write_end])
    before = len(os.listdir("/proc/self/fd"))
    assert receive(ours, max_payload_bytes=0).descriptors == ()
    assert len(os.listdir("/proc/self/fd")) == before
    for each in (read_end, write_end, *frame.descriptors):
        os.close(each)


@pytest.mark.parametrize(
    "sent",
    [
        struct.pack("<IQ", 2**31, 0),
        struct.pack("<IQ", 10, 2**62),
        raw(b"not json"),
        raw(b"[]"),
        raw(b"{}"),
        raw(b"[" * 100_000),
        raw(json.dumps({"kind": 1, "facts": {}, "order": []}).encode()),
        raw(json.dumps({"kind": "x", "facts": {}, "order": ["missing"]}).encode()),
        raw(json.dumps({"kind": "x", "facts": {}, "order": []}).encode(), b"\x80\x04cos\nsystem\n"),
        raw(json.dumps({"kind": "x", "facts": {}, "order": []}).encode(), b"\xff" * 64),
    ],
)
def test_what_is_not_a_frame_is_refused(pair, sent):
    ours, theirs = pair
    theirs.sendall(sent)
    with pytest.raises(BrokenFrame):
        receive(ours, max_payload_bytes=1000, deadline=time.monotonic() + 5)


def test_a_silent_or_slow_or_closed_other_side(pair):
    ours, theirs = pair
    with pytest.raises(ChannelTimeout):
        receive(ours, max_payload_bytes=0, deadline=time.monotonic() + 0.1)
    theirs.sendall(b"\x01")
    with pytest.raises(ChannelTimeout):
        receive(ours, max_payload_bytes=0, deadline=time.monotonic() + 0.1)
    theirs.close()
    with pytest.raises(ChannelClosed):
        receive(ours, max_payload_bytes=0, deadline=time.monotonic() + 5)


def test_a_frame_nobody_reads_times_out(pair):
    ours, _ = pair
    with pytest.raises(ChannelTimeout):
        send(ours, "x", {}, {"big": torch.zeros(4_000_000)}, deadline=time.monotonic() + 0.2)


def test_whoever_sends_a_frame_that_nobody_reads_can_give_up(pair):
    """As Ctrl-C does, beside a worker that stopped reading."""

    class Stopped(Exception):
        pass

    def tick() -> None:
        raise Stopped

    ours, _ = pair
    started = time.monotonic()
    with pytest.raises(Stopped):
        send(ours, "x", {}, {"big": torch.zeros(4_000_000)}, deadline=started + 60, tick=tick)
    assert time.monotonic() - started < 5


def test_a_frame_arrives_whole_when_it_is_read_slowly(pair):
    ours, theirs = pair
    with ThreadPoolExecutor(1) as pool:
        sent = {"big": torch.arange(2_000_000)}
        done = pool.submit(send, ours, "x", {}, sent, deadline=time.monotonic() + 30)
        time.sleep(0.1)
        frame = receive(theirs, max_payload_bytes=1 << 30)
        done.result()
    assert torch.equal(frame.tensors["big"], sent["big"])


def test_sealed_images_can_be_read_and_never_written():
    pixels = torch.arange(24, dtype=torch.uint8).reshape(2, 3, 2, 2)
    descriptor = sealed(pixels)
    assert torch.equal(mapped(descriptor, np.uint8, (2, 3, 2, 2)), pixels)
    with pytest.raises(PermissionError):
        os.write(descriptor, b"x")
    with pytest.raises(PermissionError):
        os.ftruncate(descriptor, 1)
    os.close(descriptor)


def test_space_for_logits_keeps_its_size():
    descriptor = space(8)
    mapped(descriptor, np.float32, (2,))[:] = torch.tensor([1.5, -2.0])
    assert mapped(descriptor, np.float32, (2,)).tolist() == [1.5, -2.0]
    with pytest.raises(PermissionError):
        os.ftruncate(descriptor, 0)
    os.close(descriptor)


@pytest.mark.parametrize(
    "written", [rb'"a \ud800 b"', b'"a \xed\xa0\x80 b"', rb'["\udfff"]', rb'{"\ud800": "\ud83d\ude00"}']
)
def test_halves_of_characters_are_replaced(written: bytes) -> None:
    """They can be written as JSON, but no database, file or terminal takes them."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        header = b'{"kind": "done", "order": [], "facts": {"said": ' + written + b"}}"
        theirs.sendall(len(header).to_bytes(4, "little") + bytes(8) + header)
        frame = receive(ours, max_payload_bytes=0)
    text = json.dumps(frame.facts, ensure_ascii=False)
    assert json.loads(text.encode("utf-8")) == frame.facts
    assert "\N{REPLACEMENT CHARACTER}" in text
