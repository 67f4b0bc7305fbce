"""From a module to a graph: the network as plain data (`harness.values.graph`) and the tensors it reads.

Runs beside student code, so what it returns is a claim; `harness.graph.limits` judges it. Everything is written as
plain dicts and lists, ready for JSON: no pickle and no `.pt2` file leaves this process.
"""

from __future__ import annotations

import contextlib
import functools
import re
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind
from torch.fx import Node

from harness.graph.refusal import GraphRefused
from harness.worker.any_batch import SIZES, NotForAnyBatch, for_any_batch
from harness.worker.failures import describe
from harness.worker.functional import is_pick, made_functional
from harness.worker.model import Model, evaluating, first_floating, modules_of

GRAPH_VERSION = 1
_ROOT = "network"  # what the wrapper calls the student's module
_MUTATIONS = (OutputKind.BUFFER_MUTATION, OutputKind.PARAMETER_MUTATION)
# Operators that torch keeps whole although they are several products; in parts, each has a size and a cost.
_TAKEN_APART = ("einsum", "tensordot", "linalg_multi_dot", "chain_matmul")
_BATCH_NORM = "aten._native_batch_norm_legit_no_training.default"
_WHERE_IT_LIVES = {"device", "layout", "pin_memory", "non_blocking"}


@dataclass(frozen=True, slots=True)
class Traced:
    """A graph as JSON takes it, and its tensors by name."""

    graph: dict[str, Any]
    tensors: dict[str, Tensor]


def trace(module: nn.Module, input_shape: tuple[int, ...], classes: int, batch: int = 64) -> Traced:
    """Describe what `module` computes in eval mode.

    Images arrive in float32 and are converted to the dtype of the network's floating parameters. The graph is for any
    number of images (see `harness.worker.any_batch`); a network that fixes it, such as by a shape written out, gets a
    graph of exactly `batch` images.

    Args:
        module: built, its lazy parameters initialised.
        input_shape: [channels, height, width] of one image.
        classes: columns of the logits.
        batch: images in a batch where it must be fixed.

    Raises:
        GraphRefused: no graph describes it: control flow that depends on values, state that changes, another output.
    """
    if isinstance(module, torch.jit.ScriptModule):
        raise GraphRefused("TorchScript modules cannot be traced")
    evaluating(module)
    _leave_inference_mode(module)
    try:
        one, other = (_traced(module, input_shape, classes, size) for size in SIZES)
        return Traced(for_any_batch(one.graph, other.graph), one.tensors)
    except (NotForAnyBatch, GraphRefused):
        return _traced(module, input_shape, classes, batch)


def _traced(module: nn.Module, input_shape: tuple[int, ...], classes: int, batch: int) -> Traced:
    """The network at one number of images."""
    wrapper = _Logits(module, classes)
    exported = _exported(wrapper, torch.zeros(batch, *input_shape, device=first_floating(module).device))
    _refuse_mutation(exported)
    tensors = _Tensors(module)
    nodes, output = _Writer(exported, tensors).nodes()
    graph = {
        "version": GRAPH_VERSION,
        "input": {"shape": list(input_shape), "batch": batch, "dtype": "float32"},
        "classes": classes,
        "tensors": tensors.entries,
        "nodes": nodes,
        "output": output,
        "notes": sorted(wrapper.notes),
    }
    return Traced(graph, tensors.values)


class _Logits(nn.Module):
    """The network from float32 images to one tensor [N, classes]."""

    def __init__(self, network: nn.Module, classes: int) -> None:
        super().__init__()
        self.network = network
        self.training = False
        self._classes = classes
        self.dtype = first_floating(network).dtype
        self.notes: set[str] = set()

    def forward(self, images: Tensor) -> Tensor:
        # Not even a conversion to what it is already: that is an operator too.
        output = self.network(images if self.dtype == images.dtype else images.to(self.dtype))
        candidates = Model.candidates(output)
        for each in candidates:
            if each.dim() == 2 and each.shape[1] == self._classes and each.shape[0] == images.shape[0]:
                if each is not output:
                    self.notes.add(
                        f"forward returned a {type(output).__name__}; its first [N, {self._classes}] tensor was taken"
                    )
                return each
        shapes = " and ".join(_shape(each) for each in candidates) or type(output).__name__
        raise GraphRefused(f"forward returned {shapes}; expected logits of shape [N, {self._classes}]")


def _leave_inference_mode(module: nn.Module) -> None:
    """Replace what lazy modules made during a pass without autograd; torch.export refuses such tensors."""
    copies: dict[int, Tensor] = {}
    for owner in modules_of(module):
        owned: tuple[dict[str, Any], ...] = (owner._parameters, owner._buffers)  # noqa: SLF001
        for tensors in owned:
            for name, each in tensors.items():
                if each is not None and each.is_inference():
                    if id(each) not in copies:
                        copy = each.detach().clone()
                        copies[id(each)] = nn.Parameter(copy) if isinstance(each, nn.Parameter) else copy
                    tensors[name] = copies[id(each)]


def _exported(wrapper: nn.Module, images: Tensor) -> ExportedProgram:
    try:
        with _ordinary_operators(), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exported: ExportedProgram = torch.export.export(wrapper, (images,), strict=False)
            if made_functional(exported):
                return exported
            return cast("ExportedProgram", exported.run_decompositions(_parts()))
    except GraphRefused:
        raise
    except Exception as error:
        raise _refusal(error) from error


def _parts() -> dict[Any, Any]:
    """Decompositions by operator: torch's own kernels, which call the parts."""
    key = torch._C.DispatchKey.CompositeImplicitAutograd  # noqa: SLF001
    packets = (getattr(torch.ops.aten, name) for name in _TAKEN_APART)
    return {packet.default: functools.partial(packet.default._op_dk, key) for packet in packets}  # noqa: SLF001


@contextlib.contextmanager
def _ordinary_operators() -> Iterator[None]:
    """Attention as the products it is, not as one fused operator that exists for inference only."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _refusal(error: Exception) -> GraphRefused:
    """What torch said, in a student's words where it is one of the usual things."""
    said, line = describe(error), _student_line(error)
    if "data-dependent" in said or "DataDependent" in said or "is_nonzero" in said:
        return GraphRefused("which way the forward pass goes depends on the values of the images", line=line)
    if "fake tensor in the exported program" in said:
        return GraphRefused("the forward pass keeps tensors for later: what it answers depends on earlier batches")
    if "numpy()" in said or ("FakeTensor" in said and ("data_ptr" in said or "storage" in said)):
        return GraphRefused("the forward pass takes tensors out of torch (NumPy, pointers)", line=line)
    return GraphRefused(f"torch.export cannot trace the forward pass: {said}", line=line)


def _student_line(error: BaseException) -> str | None:
    for frame, number in reversed(list(traceback.walk_tb(error.__traceback__))):
        if _is_students(frame.f_code.co_filename):
            return f"{Path(frame.f_code.co_filename).name}:{number}"
    return None


def _is_students(file: str) -> bool:
    return not {"site-packages", "dist-packages", "harness"} & set(Path(file).parts) and not file.startswith("<")


def _refuse_mutation(exported: ExportedProgram) -> None:
    for output in exported.graph_signature.output_specs:
        if output.kind in _MUTATIONS:
            raise GraphRefused(
                f"the forward pass changes {_state_name(output.target or '')}, so batches are not independent"
            )


def _state_name(target: str) -> str:
    return target.removeprefix(f"{_ROOT}.")


def _shape(tensor: Tensor) -> str:
    return f"[{', '.join(str(each) if isinstance(each, int) else 'N' for each in tensor.shape)}]"


class _Tensors:
    """The network's tensors by name: all of its state_dict, and what else the graph reads."""

    def __init__(self, module: nn.Module) -> None:
        self.entries: dict[str, dict[str, Any]] = {}
        self.values: dict[str, Tensor] = {}
        self._names: dict[tuple[Any, ...], str] = {}
        self._storages: dict[int, str] = {}
        for name, each in nn.Module.state_dict(module, keep_vars=True).items():
            if isinstance(each, Tensor):
                self.named(name, each, "parameter" if isinstance(each, nn.Parameter) else "buffer")

    def named(self, name: str, tensor: Tensor, kind: str = "constant") -> str:
        """The name under which a tensor stands; `name` becomes another one of it where it had one before."""
        address = tensor.untyped_storage().data_ptr()
        identity = (address or id(tensor), tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype)
        known = self._names.setdefault(identity, name)
        if known != name:
            if kind != "constant" and name not in self.entries[known]["aliases"]:
                self.entries[known]["aliases"].append(name)
        elif name not in self.entries:
            storage = self._storages.setdefault(address, name) if address else name
            dtype, shape = str(tensor.dtype).removeprefix("torch."), list(tensor.shape)
            self.entries[name] = {"kind": kind, "dtype": dtype, "shape": shape, "aliases": [], "storage": storage}
            self.values[name] = tensor.detach()
        return known


class _Writer:
    """Writes an exported program down."""

    def __init__(self, exported: ExportedProgram, tensors: _Tensors) -> None:
        self._exported, self._tensors = exported, tensors
        self._references: dict[Node, dict[str, Any]] = {}

    def nodes(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """The nodes that the logits depend on, in order, and the reference to the logits."""
        specs = {spec.arg.name: spec for spec in self._exported.graph_signature.input_specs}
        output, needed = self._needed()
        written = []
        for node in self._exported.graph.nodes:
            if node not in needed:
                continue
            if node.op == "placeholder":
                self._references[node] = self._placeholder(specs[node.name])
            elif is_pick(node):
                self._references[node] = {**self._references[node.args[0]], "item": node.args[1]}
            else:
                written.append(_evaluating_batch_norm(self._node(node)))
                own = {"node": node.name}
                self._references[node] = own if written[-1]["operator"] != _BATCH_NORM else {**own, "item": 0}
        return written, self._references[output]

    def _needed(self) -> tuple[Node, set[Node]]:
        position = [spec.kind for spec in self._exported.graph_signature.output_specs].index(OutputKind.USER_OUTPUT)
        output = next(each for each in self._exported.graph.nodes if each.op == "output").args[0][position]
        needed, waiting = set(), [output]
        while waiting:
            node = waiting.pop()
            if node not in needed:
                needed.add(node)
                waiting += node.all_input_nodes
        return output, needed

    def _placeholder(self, spec: Any) -> dict[str, Any]:
        if spec.kind == InputKind.USER_INPUT:
            return {"node": "input"}
        if spec.kind not in (InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR):
            raise GraphRefused(f"the forward pass uses an object that is no tensor: {spec.target}")
        source = self._exported.state_dict if spec.target in self._exported.state_dict else self._exported.constants
        return {"tensor": self._tensors.named(_state_name(spec.target), source[spec.target])}

    def _node(self, node: Node) -> dict[str, Any]:
        operator, line = _operator(node), _line(node)
        try:
            keywords = {name: self._argument(each) for name, each in node.kwargs.items() if name not in _WHERE_IT_LIVES}
            arguments = [self._argument(each) for each in node.args]
        except TypeError as error:
            raise GraphRefused(str(error), operator=operator, node=node.name, line=line) from error
        written = {"name": node.name, "operator": operator, "arguments": arguments, "keywords": keywords}
        return {**written, "module": _module_path(node), "line": line}

    def _argument(self, argument: Any) -> Any:
        match argument:
            case Node():
                return self._references[argument]
            case None | bool() | int() | str():
                return argument
            case float():
                return argument if abs(argument) < float("inf") else {"number": str(argument)}
            case list() | tuple():
                return [self._argument(each) for each in argument]
            case torch.dtype():
                return {"dtype": str(argument).removeprefix("torch.")}
            case torch.memory_format():
                return {"memory_format": str(argument).removeprefix("torch.")}
            case _:
                raise TypeError(f"an argument of type {type(argument).__name__} cannot be written down")


def _evaluating_batch_norm(node: dict[str, Any]) -> dict[str, Any]:
    """BatchNorm that uses its running statistics, as the operator for just that."""
    arguments = node["arguments"]
    if node["operator"] != "aten.batch_norm.default" or node["keywords"] or None in arguments[3:5] or arguments[5]:
        return node
    return {**node, "operator": _BATCH_NORM, "arguments": [*arguments[:5], *arguments[6:8]]}


def _operator(node: Node) -> str:
    if isinstance(node.target, torch._ops.OpOverload):  # noqa: SLF001
        return str(node.target)
    name = getattr(node.target, "__name__", str(node.target))
    if isinstance(node.target, torch._ops.HigherOrderOperator):  # noqa: SLF001
        raise GraphRefused("control flow inside the network cannot be verified", operator=name, line=_line(node))
    home = getattr(node.target, "__module__", "").lstrip("_").partition(".")[0]
    return f"{home}.{name}"


def _module_path(node: Node) -> str:
    stack: dict[str, tuple[str, Any]] = node.meta.get("nn_module_stack") or {}
    path = str(list(stack.values())[-1][0]) if stack else ""
    if not path.startswith(_ROOT):
        return ""
    return re.sub(r"@\d+", "", path.removeprefix(_ROOT).removeprefix("."))


def _line(node: Node) -> str | None:
    """The innermost line of the student's own source."""
    frames = re.findall(r'File "([^"]+)", line (\d+)', node.meta.get("stack_trace") or "")
    own = [(file, number) for file, number in frames if _is_students(file) and Path(file).parts[:1] != ("torch",)]
    return f"{Path(own[-1][0]).name}:{own[-1][1]}" if own else None
