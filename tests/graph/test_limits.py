"""A graph from a hostile process is refused before anything is computed, quickly and by name."""

from __future__ import annotations

import copy
import json
import time
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.graph.limits import accepted
from harness.graph.operators import operators
from harness.graph.refusal import GraphRefused
from harness.graph.replay import Replay
from harness.graph.shapes import Limits

SHAPE, CLASSES = (3, 4, 4), 2
INPUT = {"node": "input"}
WEIGHT = {"tensor": "weight"}


def entry(*shape: int, **other: Any) -> dict[str, Any]:
    return {"kind": "parameter", "dtype": "float32", "shape": list(shape), "storage": "weight", **other}


def node(name: str, operator: str, *arguments: Any, **keywords: Any) -> dict[str, Any]:
    return {"name": name, "operator": operator, "arguments": list(arguments), "keywords": keywords}


def graph(*nodes: dict[str, Any], output: Any = None, **other: Any) -> dict[str, Any]:
    """A linear layer on flattened images, with `nodes` after it; the last of them is the output."""
    first = (node("n", "aten.sym_size.int", INPUT, 0), node("flat", "aten.view.default", INPUT, [{"node": "n"}, 48]),
             node("logits", "aten.linear.default", {"node": "flat"}, WEIGHT))  # fmt: skip
    every = [*first, *nodes]
    return {
        "version": 1, "input": {"shape": list(SHAPE), "batch": None}, "classes": CLASSES,
        "tensors": {"weight": entry(2, 48)}, "nodes": every, "output": output or {"node": every[-1]["name"]}, **other,
    }  # fmt: skip


def judge(value: Any, **options: Any) -> Any:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return accepted(text, SHAPE, CLASSES, batch=4, **options)


def test_a_squeezed_batch_of_one_image_is_said() -> None:
    squeezed = graph(node("x", "aten.squeeze.default", {"node": "logits"}))
    with pytest.raises(GraphRefused, match=r"a batch of one image gets \[2\], not \[1, 2\]: squeeze\(\) without"):
        judge(squeezed)


LOGITS = {"node": "logits"}
BIG = 2**39
HOSTILE: dict[str, tuple[Any, str]] = {
    "empty": (b"", "malformed"),
    "not JSON": (b"\x80\x04K\x01.", "malformed"),
    "null": (None, "malformed"),
    "a list": ([], "malformed"),
    "deep lists": (b"[" * 100_000 + b"]" * 100_000, "malformed"),
    "deep objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "malformed"),
    "deep argument": (graph(node("x", "aten.relu.default", [[[LOGITS]]])), "malformed"),
    "lone surrogate": (b'{"version": "\\ud800"}', "malformed"),
    "NaN literal": (b'{"version": NaN}', "malformed"),
    "another version": (graph(version=2), "version"),
    "unknown key": (graph(code="import os"), "code"),
    "unknown operator": (graph(node("x", "aten.system.default", LOGITS)), "not one of those"),
    "python": (graph(node("x", "os.system", "ls")), "not one of those"),
    "dunder": (graph(node("x", "aten.__class__.__bases__", LOGITS)), "not one of those"),
    "in place": (graph(node("x", "aten.relu_.default", LOGITS)), "not one of those"),
    "as_strided": (graph(node("x", "aten.as_strided.default", LOGITS, [9], [1])), "by address"),
    "random": (graph(node("x", "aten.rand_like.default", LOGITS)), "random"),
    "cycle": (graph(node("a", "aten.relu.default", {"node": "b"}), node("b", "aten.relu.default", {"node": "a"})), "before"),
    "itself": (graph(node("a", "aten.relu.default", {"node": "a"})), "before"),
    "twice": (graph(node("logits", "aten.relu.default", LOGITS)), "used twice"),
    "named input": (graph(node("input", "aten.relu.default", LOGITS)), "used twice"),
    "unknown tensor": (graph(node("x", "aten.relu.default", {"tensor": "w"})), "does not exist"),
    "unknown output": (graph(output={"node": "y"}), "no node"),
    "input as output": (graph(output=INPUT), "no node"),
    "no such item": (graph(node("x", "aten.max.dim", LOGITS, 1), output={"node": "x", "item": 7}), "no such result"),
    "item of one": (graph(node("x", "aten.relu.default", LOGITS), output={"node": "x", "item": 1}), "no such result"),
    "size as output": (graph(output={"node": "n"}), "not a tensor"),
    "wrong shape": (graph(node("x", "aten.sum.dim_IntList", LOGITS, [1])), "not floating logits"),
    "wrong type": (graph(node("x", "aten.argsort.default", LOGITS)), "not floating logits"),
    "device": (graph(node("x", "aten.zeros.default", [2], device="cuda")), "does not take such a value"),
    "sections by name": (graph(node("x", "aten.tensor_split.sections", LOGITS, sections=2**40)), "no argument named"),
    "text for a tensor": (graph(node("x", "aten.relu.default", "logits")), "does not take"),
    "too few arguments": (graph(node("x", "aten.add.Tensor")), "needs"),
    "unknown keyword": (graph(node("x", "aten.relu.default", LOGITS, out=LOGITS)), "no argument named"),
    "shapes that do not fit": (graph(node("x", "aten.mm.default", LOGITS, LOGITS)), "does not take"),
    "negative size": (graph(node("x", "aten.zeros.default", [-5])), "does not take"),
    "giant": (graph(node("x", "aten.zeros.default", [BIG])), "bytes"),
    "giant product": (graph(node("x", "aten.zeros.default", [2**31, 2**31, 2**31])), "bytes|does not take|parts|size"),
    "expanded": (graph(node("x", "aten.expand.default", LOGITS, [BIG, -1, -1])), "bytes|does not take|parts|size"),
    "repeated": (graph(node("x", "aten.repeat.default", LOGITS, [2**20, 2**12])), "bytes"),
    "range": (graph(node("x", "aten.arange.default", 2**62)), "bytes|does not take|parts|size"),
    "identity": (graph(node("x", "aten.eye.default", 2**20)), "bytes"),
    "upsampled": (graph(node("x", "aten.upsample_nearest2d.vec", INPUT, [2**30, 2**30], None)), "bytes|does not take|parts|size"),
    "padded": (graph(node("x", "aten.constant_pad_nd.default", LOGITS, [2**40, 0])), "bytes|does not take|parts|size"),
    "many parts": (graph(node("x", "aten.zeros.default", [100_000]), node("y", "aten.split.Tensor", {"node": "x"}, 1)), "parts"),
    "no-size parts": (graph(node("x", "aten.split.Tensor", LOGITS, 0)), "bytes|does not take|parts|size"),
    "sections": (graph(node("x", "aten.tensor_split.sections", LOGITS, 2**40)), "parts"),
    "division by zero": (graph(node("x", "aten.floor_divide.Scalar", LOGITS, 0)), "zero"),
    "sizes by zero": (graph(node("x", "operator.floordiv", {"node": "n"}, 0)), "does not take"),
    "shift": (graph(node("x", "aten.__lshift__.Scalar", LOGITS, 1000)), "bits"),
    "masked index": (
        graph(node("m", "aten.gt.Scalar", LOGITS, 0), node("x", "aten.index.Tensor", LOGITS, [{"node": "m"}])), "mask",
    ),
    "changing statistics": (
        graph(
            node("r", "aten.reshape.default", WEIGHT, [96]), node("m", "aten.slice.Tensor", {"node": "r"}, 0, 0, 3),
            node("x", "aten.instance_norm.default", INPUT, None, None, {"node": "m"}, {"node": "m"}, True, 0.1, 1e-5, False),
        ), "running statistics",
    ),
    "unwritten memory": (graph(node("x", "aten.grid_sampler.default", INPUT, INPUT, 7, 9, False)), "unknown mode"),
    "dropout": (graph(node("x", "aten.dropout.default", LOGITS, 0.5, True)), "training"),
    "huge size": (graph(node("x", "aten.select.int", LOGITS, 0, 10**30)), "does not take"),
    "int for a dtype": (graph(node("x", "aten.view.dtype", LOGITS, -1)), "does not take"),
    "huge dimension": (graph(tensors={"weight": entry(2**50)}), "malformed"),
    "negative dimension": (graph(tensors={"weight": entry(-1, 48)}), "malformed"),
    "many bytes": (graph(tensors={"weight": entry(2**30, 48)}), "bytes"),
    "storage of none": (graph(tensors={"weight": entry(2, 48, storage="w")}), "does not exist"),
    "alias of another": (graph(tensors={"weight": entry(2, 48, aliases=["weight"])}), "one name"),
    "other images": (graph(input={"shape": [1, 4, 4]}), "is for images"),
    "batch of zero": (graph(input={"shape": list(SHAPE), "batch": 0}), "malformed"),
    "long name": (graph(node("x" * 1000, "aten.relu.default", LOGITS)), "malformed"),
    "dimensions": (graph(node("x", "aten.zeros.default", [1] * 60)), "dimensions"),
    "steps": (
        graph(
            node("x", "aten.zeros.default", [100_000, 1, 48]), node("h", "aten.zeros.default", [1, 1, 2]),
            node("y", "aten.rnn_tanh.input", {"node": "x"}, {"node": "h"}, [WEIGHT, WEIGHT], False, 1, 0.0, False, False, False),
        ), "parts",
    ),
}  # fmt: skip


def test_the_graph_that_the_corpus_spoils_is_accepted() -> None:
    assert len(judge(graph(node("x", "aten.relu.default", LOGITS))).nodes) == 4


@pytest.mark.parametrize("name", HOSTILE)
def test_refused(name: str) -> None:
    value, words = HOSTILE[name]
    with pytest.raises(GraphRefused, match=words):
        judge(value)


def test_sizes_grow_one_multiplication_at_a_time() -> None:
    nodes = [node("s0", "operator.mul", {"node": "n"}, 2**40)]
    nodes += [node(f"s{i}", "operator.mul", {"node": f"s{i - 1}"}, {"node": f"s{i - 1}"}) for i in range(1, 200)]
    with pytest.raises(GraphRefused, match="too large"):
        judge(graph(*nodes))


def test_doubling_is_stopped_by_the_bytes() -> None:
    nodes = [node("d0", "aten.cat.default", [LOGITS, LOGITS])]
    nodes += [node(f"d{i}", "aten.cat.default", [{"node": f"d{i - 1}"}] * 2) for i in range(1, 60)]
    with pytest.raises(GraphRefused, match="bytes") as caught:
        judge(graph(*nodes))
    assert caught.value.operator == "aten.cat.default"


def test_what_is_alive_at_once_is_bounded_and_what_is_freed_is_not() -> None:
    limits = Limits(live_bytes=10_000, result_bytes=10_000)
    chain = [node("c0", "aten.repeat.default", LOGITS, [1, 100])]
    chain += [node(f"c{i}", "aten.neg.default", {"node": f"c{i - 1}"}) for i in range(1, 50)]
    last = node("x", "aten.add.Tensor", LOGITS, 1)
    judge(graph(*chain, last), limits=limits)
    kept = node("all", "aten.stack.default", [{"node": f"c{i}"} for i in range(50)])
    with pytest.raises(GraphRefused, match="alive at once"):
        judge(graph(*chain, kept, last), limits=limits)


def test_multiplications_are_bounded() -> None:
    with pytest.raises(GraphRefused, match="multiply-accumulates"):
        judge(graph(), limits=Limits(macs=100))


@pytest.mark.parametrize("count", [10**6, 25_000])
def test_a_million_nodes(count: int) -> None:
    text = json.dumps(graph(*[node(f"n{i}", "aten.relu.default", LOGITS) for i in range(25_000)])).encode()
    if count == 10**6:
        text = b'{"nodes": [' + b'{"name":"x","operator":"aten.relu.default"},' * (count - 1) + b"{}]}"
    started = time.process_time()
    with pytest.raises(GraphRefused):
        judge(text)
    assert time.process_time() - started < 10


def test_a_long_text_is_not_even_parsed() -> None:
    with pytest.raises(GraphRefused, match="bytes"):
        judge(b" " * (33 * 2**20))


numbers = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-4, 70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
)
references = st.sampled_from([INPUT, LOGITS, WEIGHT, {"node": "flat"}, {"node": "n"}, {"node": "logits", "item": 0}])
others = st.one_of(
    st.none(), st.text(max_size=8), st.sampled_from([{"dtype": "int8"}, {"dtype": "bool"}, {"number": "inf"},
                                                     {"memory_format": "channels_last"}]),
)  # fmt: skip
atoms = st.one_of(references, references, numbers, others)
arguments = st.lists(st.one_of(atoms, atoms, st.lists(atoms, max_size=4)), max_size=6)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=20,
)
quick = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@quick
@given(anything)
def test_random_json_is_refused(value: Any) -> None:
    with pytest.raises(GraphRefused):
        judge(json.dumps(value).encode())


@settings(quick, max_examples=600)
@given(
    st.sampled_from(sorted(operators())),
    arguments,
    st.dictionaries(st.sampled_from(["dim", "dtype", "size"]), atoms, max_size=1),
)
def test_random_arguments_are_refused_or_run(
    operator: str, given_arguments: list[Any], keywords: dict[str, Any]
) -> None:
    value = graph(node("x", operator, *given_arguments, **keywords))
    try:
        found = judge(value)
    except GraphRefused:
        return
    logits = _replayed(found)
    assert logits is None or logits.shape == (3, CLASSES)


@quick
@given(st.data())
def test_spoiled_graphs_are_refused_or_run(data: st.DataObject) -> None:
    value = copy.deepcopy(graph(node("x", "aten.relu.default", LOGITS)))
    place: Any = value
    while isinstance(place, dict | list) and place:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if data.draw(st.booleans()) or not isinstance(place[key], dict | list):
            place[key] = data.draw(anything)
            break
        place = place[key]
    try:
        found = judge(json.dumps(value).encode())
    except GraphRefused:
        return
    logits = _replayed(found)
    assert logits is None or logits.shape == (3, CLASSES)


def _replayed(found: Any) -> torch.Tensor | None:
    """Values that are only known when it runs may still be impossible: an index out of range. Torch says so."""
    weights = {name: torch.zeros(each.shape, dtype=getattr(torch, each.dtype)) for name, each in found.tensors.items()}
    try:
        return Replay(found)(weights, torch.zeros(3, *SHAPE))
    except (RuntimeError, IndexError, NotImplementedError):
        return None
