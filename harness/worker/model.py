"""Run the student's module, always through torch's own base-class methods.

A student's class may override `eval`, `load_state_dict` or `named_parameters`, by mistake or on purpose. Here the base
class decides, so that overriding changes nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
import torchinfo
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter
from torch.nn.utils import prune

from harness.errors import SubmissionError
from harness.graph.limits import SQUEEZED
from harness.worker.decoding import aliases_of
from harness.worker.failures import describe, failure, is_out_of_memory
from harness.worker.messages import Batches
from harness.worker.protocol import TOO_MANY_NAMES, can_be_matched
from harness.worker.replies import Built, Described
from harness.worker.state_dicts import versions_of

_MAX_LAYERS = 2000
_COMPUTING = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_QUANTISED = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.nn.quantized", "torch.ao.nn.sparse")
_COMPRESSED = (torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc)
_DIFFERENCES = "Error(s) in loading state_dict"


class Model:
    """A built module.

    Args:
        input_shape: [channels, height, width] of one image.
    """

    def __init__(self, module: nn.Module, input_shape: tuple[int, ...]) -> None:
        self.module = module
        self.notes: set[str] = set()
        self.input_shape = input_shape
        self._lazy = any(isinstance(each, UninitializedParameter | UninitializedBuffer) for each in self._tensors())
        self._metadata = _metadata_of(module)
        evaluating(module)
        self.dtype = first_floating(module).dtype
        if self._lazy:
            self.run(torch.zeros(1, *input_shape))
            self.dtype = first_floating(module).dtype
        self.memory_format = self._fastest_format()

    def outline(self) -> Built:
        """Names and shapes of the state, and which of them are parameters.

        Raises:
            SubmissionError: there are too many names, or too long ones.
        """
        state = nn.Module.state_dict(self.module)
        if not can_be_matched(state):
            raise SubmissionError(
                "rejected",
                f"the network has {TOO_MANY_NAMES}",
                "keep in it what its layers need",
            )
        parameters = [name for name, _ in nn.Module.named_parameters(self.module, remove_duplicate=False)]
        return Built(
            state={name: tuple(each.shape) for name, each in state.items() if isinstance(each, Tensor)},
            parameters=tuple(name for name in parameters if name in state),
            lazy=self._lazy,
            scripted_or_quantised=any(_uncountable(each) for each in modules_of(self.module)),
            tied=aliases_of({name: each for name, each in state.items() if isinstance(each, Tensor)}),
            versions=versions_of(state),
            notes=tuple(sorted(self.notes)),
        )

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Put the grader's weights in. Names and shapes were matched by the grader.

        They come with the module's own versions: a module that converts what older versions wrote has nothing to do.
        """
        own = nn.Module.state_dict(self.module)
        state = OrderedDict((name, _as_laid_out(each, own.get(name))) for name, each in tensors.items())
        for name in [name for name, each in state.items() if each.layout in _COMPRESSED]:
            self._replace(name, state.pop(name))  # torch copies these only where as many elements are kept
        _load(self.module, state, self._metadata, strict=False)

    def adopt(self, tensors: Mapping[str, Tensor], versions: Mapping[str, int]) -> dict[str, Tensor]:
        """The state after `load_state_dict` has read the tensors as they were saved.

        The base class's first, then the student's own, if there is one: it may rename. What neither can do without
        versions in the file is tried with the module's own.

        Raises:
            Unfitting: names, shapes or versions differ.
        """
        file = OrderedDict((path, {"version": version}) for path, version in versions.items())
        tries = [(nn.Module.load_state_dict, file or None)]
        tries += [] if file else [(nn.Module.load_state_dict, self._metadata)]
        if type(self.module).load_state_dict is not nn.Module.load_state_dict:
            tries.append((type(self.module).load_state_dict, file or self._metadata))
        reasons = []
        for load, metadata in tries:
            try:
                _load(self.module, OrderedDict(tensors), metadata, by=load)
            except Exception as error:  # noqa: BLE001 - hooks are the student's code: whatever they raise is an answer
                reasons.append(None if _DIFFERENCES in str(error) else describe(error))
            else:
                state = nn.Module.state_dict(self.module)
                return {name: _dense(each) for name, each in state.items() if isinstance(each, Tensor)}
        raise Unfitting(next((each for each in reasons if each), None))

    def describe(self, tensors: Mapping[str, Tensor], masked: Sequence[str]) -> Described:
        """Torchinfo's view of the network with the given weights in it, pruning masks live.

        Args:
            tensors: the weights, and the masks as `<name>_mask`.
            masked: names of the parameters that have masks.
        """
        masks = {name: tensors[f"{name}_mask"] for name in masked}
        state = nn.Module.state_dict(self.module)
        self.load({name: each for name, each in tensors.items() if name in state})
        for name, mask in masks.items():
            owner, parameter = self._owner(name)
            prune.custom_from_mask(owner, parameter, mask)  # type: ignore[no-untyped-call]
        try:
            return self._summary()
        except Exception as error:  # noqa: BLE001 - torchinfo is advisory: without it the counts are ours alone
            return Described(torchinfo=None, torchinfo_error=describe(error), mult_adds=None, layers=())
        finally:
            for name in masks:
                prune.remove(*self._owner(name))  # type: ignore[no-untyped-call]
            evaluating(self.module)

    def forward(self, pixels: Tensor, logits: Tensor, images: Batches) -> None:
        """Fill `logits` [N, classes] with the network's answers for uint8 `pixels` [N, c, H, W].

        Raises:
            SubmissionError: the output is not one row of `classes` numbers per image.
        """
        evaluating(self.module)
        start, classes = 0, logits.shape[1]
        for batch in self.batches(torch.split(pixels, images.batch_size), images):
            try:
                logits[start : start + len(batch)] = self.rows(self.run(batch), len(batch), classes)
            except Exception as error:
                if start and len(batch) == 1 and not is_out_of_memory(error):
                    raise _on_one_image(error) from error
                raise
            start += len(batch)

    def batches(self, parts: Iterable[Tensor], images: Batches) -> Iterator[Tensor]:
        """The network's inputs in its fastest layout for uint8 parts [n, c, H, W]."""
        return normalised(parts, images, self.memory_format)

    def run(self, batch: Tensor) -> Any:
        """What the module returns."""
        with torch.inference_mode():
            return self.module(batch.to(self.dtype))

    @staticmethod
    def candidates(output: Any) -> list[Tensor]:
        """The tensors among what the module returned."""
        return [output] if isinstance(output, Tensor) else _tensors_in(output)

    def rows(self, output: Any, rows: int, classes: int) -> Tensor:
        """The float32 logits [rows, classes] among what the module returned.

        Raises:
            SubmissionError: there are none.
        """
        candidates = self.candidates(output)
        for candidate in candidates:
            if tuple(candidate.shape) == (rows, classes):
                if candidate is not output:
                    self.notes.add(
                        f"forward returned a {type(output).__name__}; its first [N, {classes}] tensor was taken"
                    )
                return candidate.detach().to(torch.float32)
        alone = [each for each in candidates if rows == 1 and tuple(each.shape) == (classes,)]
        if alone:
            self.notes.add(f"forward returned [{classes}] for a batch of one image, read as [1, {classes}]: {SQUEEZED}")
            return alone[0].detach().to(torch.float32)[None]
        got = " and ".join(str(list(each.shape)) for each in candidates) or type(output).__name__
        raise SubmissionError(
            "rejected",
            f"forward returned {got} for {rows} images; expected logits of shape [{rows}, {classes}]",
            f"the last layer must give {classes} numbers per image",
        )

    def _summary(self) -> Described:
        statistics = torchinfo.summary(
            self.module, input_size=(1, *self.input_shape), device="cpu", mode="eval", verbose=0, depth=100
        )
        layers, path = [], [""]
        for info in statistics.summary_list:
            path[info.depth :] = [info.var_name]
            if info.is_leaf_layer:
                name = ".".join(path[1:]) or info.var_name
                layers.append((name, info.class_name, tuple(info.output_size or ()), int(info.num_params)))
        return Described(
            torchinfo=int(statistics.total_params),
            torchinfo_error=None,
            mult_adds=int(statistics.total_mult_adds),
            layers=tuple(layers[:_MAX_LAYERS]),
        )

    def _owner(self, name: str) -> tuple[nn.Module, str]:
        path, _, parameter = name.rpartition(".")
        return nn.Module.get_submodule(self.module, path), parameter

    def _replace(self, name: str, tensor: Tensor) -> None:
        owner, last = self._owner(name)
        if last in owner._parameters:  # noqa: SLF001
            owner._parameters[last] = nn.Parameter(tensor, requires_grad=False)  # noqa: SLF001
        else:
            owner._buffers[last] = tensor  # noqa: SLF001

    def _tensors(self) -> list[Any]:
        owners = modules_of(self.module)
        return [tensor for each in owners for tensor in (*each._parameters.values(), *each._buffers.values())]  # noqa: SLF001

    def _fastest_format(self) -> torch.memory_format:
        """channels_last is several times faster, but `x.view(len(x), -1)` after a convolution refuses it."""
        image = torch.zeros(2, *self.input_shape)
        try:
            self.run(image.contiguous(memory_format=torch.channels_last))
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            return torch.contiguous_format
        return torch.channels_last


def _on_one_image(error: Exception) -> SubmissionError:
    """What a batch of one image met, after larger ones had gone through."""
    found = failure(error)
    reason = f"{found.reason} (on a batch of one image; larger ones went through)"
    return SubmissionError(found.status, reason, f"if there is a squeeze(): {SQUEEZED}")


class Unfitting(Exception):
    """A file that a module does not take.

    Attributes:
        reason: what its code said; None where torch only listed names and shapes.
    """

    def __init__(self, reason: str | None) -> None:
        super().__init__(reason)
        self.reason = reason


def _load(module: nn.Module, state: OrderedDict[str, Tensor], metadata: Any, *, by: Any = None, **options: Any) -> None:
    if metadata:
        state._metadata = metadata  # type: ignore[attr-defined]  # noqa: SLF001 - where torch looks for it
    (by or nn.Module.load_state_dict)(module, state, **options)


def _metadata_of(module: nn.Module) -> Any:
    return getattr(nn.Module.state_dict(module), "_metadata", None)


def _as_laid_out(tensor: Tensor, own: Any) -> Tensor:
    """Sparse where the module's own tensor is: torch does not copy dense tensors into sparse ones."""
    if not isinstance(own, Tensor) or own.layout == torch.strided or tensor.layout != torch.strided:
        return tensor
    if own.layout in _COMPRESSED[2:]:
        return tensor.to_sparse(layout=own.layout, blocksize=own.values().shape[1:3])
    return tensor.to_sparse(layout=own.layout)


def _dense(tensor: Tensor) -> Tensor:
    return tensor.detach() if tensor.layout == torch.strided else tensor.detach().to_dense()


def normalised(parts: Iterable[Tensor], images: Batches, layout: torch.memory_format) -> Iterator[Tensor]:
    """uint8 parts [n, c, H, W] as float32 `(pixels / 255 - mean) / std`."""
    shape = (1, -1, 1, 1)
    mean, std = torch.tensor(images.mean).view(shape), torch.tensor(images.std).view(shape)
    for part in parts:
        batch = part.to(torch.float32).div_(255)
        yield (batch - mean).div_(std).contiguous(memory_format=layout)


def first_floating(module: nn.Module) -> Tensor:
    """The first floating parameter, else buffer; something in float32 without either. Images arrive in its dtype."""
    owners = modules_of(module)
    kept: list[Mapping[str, Tensor | None]] = [each._parameters for each in owners]  # noqa: SLF001
    kept += [each._buffers for each in owners]  # noqa: SLF001
    known = (tensor for tensors in kept for tensor in tensors.values() if tensor is not None)
    return next((tensor for tensor in known if tensor.dtype in _COMPUTING), torch.empty(0, dtype=torch.float32))


def evaluating(module: nn.Module) -> None:
    """Put everything into eval mode, whatever the student's `eval` does."""
    for each in modules_of(module):
        each.training = False


def modules_of(module: nn.Module) -> list[nn.Module]:
    """The module and all below it, each once, in the order of torch's own walk, which a student may override."""
    return [each for _, each in paths_of(module)]


def paths_of(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The module and all below it with their paths, such as `cnn.0`; see `modules_of`."""
    seen: set[int] = set()
    waiting = [("", module)]
    while waiting:
        path, each = waiting.pop()
        if id(each) not in seen:
            seen.add(id(each))
            yield path, each
            children = [(name, child) for name, child in each._modules.items() if child is not None]  # noqa: SLF001
            waiting += [(f"{path}.{name}" if path else name, child) for name, child in reversed(children)]


def is_quantised(module: nn.Module) -> bool:
    """Whether it is one of torch's quantised layers; what is below it does not count."""
    return type(module).__module__.startswith(_QUANTISED)


def _uncountable(module: nn.Module) -> bool:
    return isinstance(module, torch.jit.ScriptModule) or is_quantised(module)


def _tensors_in(output: Any) -> list[Tensor]:
    match output:
        case Mapping():
            items = list(output.values())
        case list() | tuple():
            items = list(output)
        case _:
            items = []
    return [each for each in items if isinstance(each, Tensor)]
