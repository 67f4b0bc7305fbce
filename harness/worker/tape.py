"""Record the operators of one forward pass, as calls without effects, while it runs.

In inference mode torch hands a `TorchDispatchMode` whole operators, such as `aten.conv2d.default`, before it takes them
apart for autograd. The tape lets each run, on whatever device the network is, and writes it down: arguments that are
tensors as references to earlier results or to the network's tensors. What is not in `harness.graph.operators` is taken
apart as torch does it, and what changes its argument becomes the operator that makes a new value
(`harness.worker.memory`).

`torch.export` writes the same operators. It is not used since it must first import a compiler, which takes longer than
everything else that a worker does, and since it refuses what no graph needs to know, such as literals read as numbers.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode

from harness.graph.operators import operators, why_not
from harness.graph.refusal import GraphRefused
from harness.worker.memory import Geometry, Memory, Reference, View
from harness.worker.model import paths_of
from harness.worker.named_tensors import NamedTensors
from harness.worker.operator_calls import changed_by, functional, refuse_statistics, trains
from harness.worker.source_lines import line
from harness.worker.without_compiler import DispatchMode

_BATCH_NORM = "aten._native_batch_norm_legit_no_training.default"
_COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd  # noqa: SLF001
_WHERE_IT_LIVES = {"device", "layout", "pin_memory", "non_blocking"}
_BY_ADDRESS = ("aten.set_.", "aten.resize_.", "aten.as_strided_.")
_LEAVING = (
    Tensor.numpy, Tensor.tolist, Tensor.data_ptr, Tensor.untyped_storage, Tensor.storage, Tensor.__dlpack__,
    Tensor.__array__,
)  # fmt: skip

_VALUES = "which way the forward pass goes depends on the values of its tensors"
_LEFT = "the forward pass takes tensors out of torch (NumPy, pointers)"
_LATER = "the forward pass keeps tensors for later: what it answers depends on earlier batches"


class Tape(DispatchMode):
    """One forward pass.

    Args:
        module: whose pass it is; its paths name who called an operator.
        images: what the pass gets.
        tensors: takes up what the pass reads.
        earlier: tapes of the same module; what they recorded must not be read again.
    """

    supports_higher_order_operators = True  # in order to refuse them by name

    def __init__(self, module: nn.Module, images: Tensor, tensors: NamedTensors, earlier: Sequence[Tape] = ()) -> None:
        super().__init__()
        self.nodes: list[dict[str, Any]] = []
        self._tensors, self._earlier = tensors, earlier
        self._paths = {id(each): path for path, each in paths_of(module)}
        self._calling: list[str] = []
        self._names: Counter[str] = Counter()
        self._memories: dict[int, Memory] = {}
        self._new_memory(images).keep(Geometry.of(images), {"node": "input"})

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Record what runs inside."""
        hooks = nn.modules.module
        entered = hooks.register_module_forward_pre_hook(lambda module, _: self._enter(module))
        left = hooks.register_module_forward_hook(lambda *_: self._leave(), always_call=True)
        try:
            with torch.inference_mode(), _Leaving(self), self:
                yield
        finally:
            entered.remove()
            left.remove()

    def result(self, tensor: Tensor) -> Reference:
        """The reference to something that was computed while recording.

        Raises:
            GraphRefused: it was not, or not by torch.
        """
        if not self.made(_address(tensor)):
            raise GraphRefused(_LEFT)
        return self._reference(tensor)

    def made(self, address: int) -> bool:
        """Whether an operator has made what lies there."""
        return address in self._memories and self._memories[address].stored is None

    def is_literal(self, tensor: Tensor) -> bool:
        """Whether a tensor holds only numbers written in the source."""
        memory = self._memories.get(_address(tensor))
        return memory is not None and memory.literal

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] = MappingProxyType({})
    ) -> Any:
        """One operator, before it runs."""
        if not isinstance(func, torch._ops.OpOverload):  # noqa: SLF001
            raise GraphRefused("control flow inside the network cannot be verified", operator=str(func), line=line())
        kwargs, name = dict(kwargs or {}), str(func)
        refuse_statistics(func, args, kwargs)
        if name not in operators() or trains(func, args, kwargs):
            if func.has_kernel_for_dispatch_key(_COMPOSITE):
                with self:
                    return func.decompose(*args, **kwargs)
            if func._schema.is_mutable:  # noqa: SLF001
                return self._change(func, args, kwargs)
        with torch._C.DisableTorchFunction():  # noqa: SLF001 - a tensor's class may be the student's
            return self._record(func, args, kwargs)

    def _record(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        literal = self._all_literal(func, args, kwargs)
        if torch.Tag.data_dependent_output in func.tags and not literal:
            raise GraphRefused(_VALUES, line=line())
        if func is torch.ops.aten.lift_fresh.default:
            return self._lift(func, *args)
        arguments, keywords = self._written(func, args, kwargs)
        source = Geometry.of(args[0]) if args and isinstance(args[0], Tensor) else None
        result = func(*args, **kwargs)
        made = list(enumerate(result)) if isinstance(result, list | tuple) else [(None, result)]
        if any(isinstance(each, Tensor) for _, each in made):
            reference = self._node(str(func), arguments, keywords)
            for item, each in made:
                if isinstance(each, Tensor):
                    found = reference if item is None else {**reference, "item": item}
                    shares = source is not None and _address(each) == _address(args[0])
                    view = View(source, str(func), tuple(arguments), item) if source and shares else None
                    self._keep(each, found, view, literal=literal)
        return result

    def _lift(self, func: Any, tensor: Tensor) -> Tensor:
        """A tensor that was just made from numbers in the source, such as `torch.tensor([0.5])`."""
        name = self._tensors.literal(tensor.clone())
        reference = self._node("aten.lift_fresh_copy.default", [{"tensor": name}], {})
        result: Tensor = func(tensor)
        self._new_memory(result, literal=True).keep(Geometry.of(result), reference)
        return result

    def _change(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An operator that writes into its argument, as the one that makes a new value."""
        with torch._C.DisableTorchFunction():  # noqa: SLF001
            changed, others = changed_by(func, args, kwargs)
            memory, place = self._memory(changed), Geometry.of(changed)
            if func is torch.ops.aten.detach_.default:
                return func(*args, **kwargs)
            if memory.stored is not None:
                raise GraphRefused(
                    f"the forward pass changes {memory.stored}, so batches are not independent", line=line()
                )
            twin = functional(func)
            if twin is None or str(func).startswith(_BY_ADDRESS):
                raise GraphRefused(why_not(str(func)), operator=str(func), line=line())
            arguments, keywords = self._written(twin, args, others)
            reference = self._node(str(twin), arguments, keywords)
            if torch.Tag.inplace_view in func.tags:
                result = func(*args, **kwargs)
                self._keep(changed, reference, View(place, str(twin), tuple(arguments), None))
                return result
            value = twin(*args, **others)
            if value.shape != changed.shape:
                raise GraphRefused("an operator writes its result into a tensor of another shape", line=line())
            if value.dtype != changed.dtype:
                reference = self._node("aten._to_copy.default", [reference], {"dtype": _dtype(changed.dtype)})
            memory.literal &= self._all_literal(func, args, kwargs)
            memory.write(place, reference, self._emit)
            return func(*args, **kwargs)

    def _keep(self, tensor: Tensor, reference: Reference, view: View | None, *, literal: bool = False) -> None:
        """Note where a result lies: in memory of its own, or in an argument's."""
        place = Geometry.of(tensor)
        memory = self._memories.get(_address(tensor)) or self._new_memory(tensor, literal=literal)
        if not memory.knows(place):
            memory.keep(place, reference, view)

    def _node(self, operator: str, arguments: list[Any], keywords: dict[str, Any]) -> Reference:
        packet = operator.split(".")[1]
        self._names[packet] += 1
        name = packet if self._names[packet] == 1 else f"{packet}_{self._names[packet] - 1}"
        self.nodes.append(
            _evaluating_batch_norm(
                {
                    "name": name,
                    "operator": operator,
                    "arguments": arguments,
                    "keywords": keywords,
                    "module": self._calling[-1] if self._calling else "",
                    "line": line(),
                }
            )
        )
        return {"node": name} if self.nodes[-1]["operator"] != _BATCH_NORM else {"node": name, "item": 0}

    def _emit(self, operator: str, *arguments: Any) -> Reference:
        return self._node(operator, list(arguments), {})

    def _written(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        try:
            arguments = [self._argument(each) for each in args]
            return arguments, {n: self._argument(each) for n, each in kwargs.items() if n not in _WHERE_IT_LIVES}
        except TypeError as error:
            raise GraphRefused(str(error), operator=str(func), line=line()) from error

    def _argument(self, argument: Any) -> Any:
        match argument:
            case Tensor():
                return self._reference(argument)
            case None | bool() | int() | str():
                return argument
            case float():
                return argument if abs(argument) < float("inf") else {"number": str(argument)}
            case list() | tuple():
                return [self._argument(each) for each in argument]
            case torch.dtype():
                return _dtype(argument)
            case torch.memory_format():
                return {"memory_format": str(argument).removeprefix("torch.")}
            case _:
                raise TypeError(f"an argument of type {type(argument).__name__} cannot be written down")

    def _reference(self, tensor: Tensor) -> Reference:
        memory, place = self._memory(tensor), Geometry.of(tensor)
        found = memory.read(place, self._emit)
        if found is None:
            if memory.stored is None:
                raise GraphRefused("the forward pass reads memory by address", line=line())
            found = {"tensor": self._tensors.read(tensor)}
            memory.keep(place, found)
        return found

    def _memory(self, tensor: Tensor) -> Memory:
        """That of a tensor; one that no operator made is the network's own."""
        address = _address(tensor)
        if address not in self._memories:
            if any(each.made(address) for each in self._earlier):
                raise GraphRefused(_LATER, line=line())
            memory = self._new_memory(tensor)
            memory.stored = self._tensors.read(tensor)
        return self._memories[address]

    def _new_memory(self, tensor: Tensor, *, literal: bool = False) -> Memory:
        weak = StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]
        memory = Memory(weak, literal=literal)
        return self._memories.setdefault(_address(tensor), memory)

    def _all_literal(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        given = [each for value in (*args, *kwargs.values()) for each in _tensors_in(value)]
        return torch.Tag.nondeterministic_seeded not in func.tags and all(self.is_literal(each) for each in given)

    def _enter(self, module: nn.Module) -> None:
        self._calling.append(self._paths.get(id(module), ""))

    def _leave(self) -> None:
        self._calling.pop()


class _Leaving(TorchFunctionMode):
    """Refuses calls by which values leave torch unseen."""

    def __init__(self, tape: Tape) -> None:
        super().__init__()
        self._tape = tape

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _LEAVING and not self._tape.is_literal(args[0]):
            raise GraphRefused(_LEFT, line=line())
        return func(*args, **(kwargs or {}))


def _address(tensor: Tensor) -> int:
    try:
        return int(tensor.untyped_storage()._cdata)  # noqa: SLF001
    except (NotImplementedError, RuntimeError) as error:
        raise GraphRefused(f"a tensor of layout {tensor.layout} cannot be written down", line=line()) from error


def _tensors_in(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _tensors_in(each)


def _dtype(dtype: torch.dtype) -> dict[str, str]:
    return {"dtype": str(dtype).removeprefix("torch.")}


def _evaluating_batch_norm(node: dict[str, Any]) -> dict[str, Any]:
    """BatchNorm that uses its running statistics, as the operator for just that."""
    arguments = node["arguments"]
    if node["operator"] != "aten.batch_norm.default" or node["keywords"] or None in arguments[3:5] or arguments[5]:
        return node
    return {**node, "operator": _BATCH_NORM, "arguments": [*arguments[:5], *arguments[6:8]]}
