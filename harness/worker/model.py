"""Build the student's module and run it, always through torch's own base-class methods.

A student's class may override `eval`, `load_state_dict` or `named_parameters`, by mistake or on purpose. Here the base
class decides, so that overriding changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
import torchinfo
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter
from torch.nn.utils import prune

from harness.errors import SubmissionError
from harness.worker.failures import describe, is_out_of_memory
from harness.worker.messages import Batches, Built, Described

if TYPE_CHECKING:
    from harness.worker.sources.definitions import Located

_MAX_LAYERS = 2000
_COMPUTING = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_QUANTISED = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.nn.quantized")


def build(entry: Located, arguments: Mapping[str, Any], input_shape: tuple[int, ...]) -> Model:
    """Call the entry point and try the module on an empty image.

    Args:
        input_shape: [channels, height, width].

    Raises:
        SubmissionError: it needs other arguments, or does not return an `nn.Module`.
    """
    made = entry.object if isinstance(entry.object, nn.Module) else _called(entry, arguments)
    module, note = _network_in(made, entry)
    if module is None:
        raise SubmissionError(
            "rejected",
            f"{entry.name} ({entry.file} line {entry.line}) returned {type(made).__name__}, not a torch.nn.Module",
            f"{entry.name}() must return the network",
        )
    model = Model(module, input_shape)
    model.notes |= note
    return model


def _network_in(made: Any, entry: Located) -> tuple[nn.Module | None, set[str]]:
    """The network that was made, alone or with its optimizer and loss in one tuple, and a note on that.

    Raises:
        SubmissionError: there are several.
    """
    if isinstance(made, nn.Module):
        return made, set()
    inside = list(made.values()) if isinstance(made, dict) else list(made) if isinstance(made, tuple | list) else []
    modules = list({id(each): each for each in inside if isinstance(each, nn.Module)}.values())
    found = [each for each in modules if nn.Module.state_dict(each)] or modules
    if not found:
        return None, set()
    names = " and ".join(type(each).__name__ for each in found[:5])
    kind = type(made).__name__
    if len(found) > 1:
        raise SubmissionError(
            "rejected",
            f"{entry.name} ({entry.file} line {entry.line}) returned a {kind} with {len(found)} networks: {names}",
            f"{entry.name}() must return the student alone",
        )
    return found[0], {f"{entry.name} returned a {kind}; the {names} in it was taken"}


def _called(entry: Located, arguments: Mapping[str, Any]) -> Any:
    if not callable(entry.object):
        raise SubmissionError("rejected", f"{entry.name} ({entry.file} line {entry.line}) is not a class or function")
    try:
        return entry.object(**arguments)
    except TypeError as error:
        if error.__traceback__ is None or error.__traceback__.tb_next is not None:
            raise  # raised inside the student's code, not by the call itself
        given = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        raise SubmissionError(
            "rejected",
            f"{entry.name}({given}) cannot be called: {error}",
            "give every parameter a default, or write the values into submission.toml: model_arguments = { … }",
        ) from error


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
        evaluating(module)
        self.dtype = own_dtype(module)
        if self._lazy:
            self.run(torch.zeros(1, *input_shape))
            self.dtype = own_dtype(module)
        self.memory_format = self._fastest_format()

    def outline(self) -> Built:
        """Names and shapes of the state, and which of them are parameters."""
        state = nn.Module.state_dict(self.module)
        parameters = [name for name, _ in nn.Module.named_parameters(self.module, remove_duplicate=False)]
        return Built(
            state={name: tuple(each.shape) for name, each in state.items() if isinstance(each, Tensor)},
            parameters=tuple(name for name in parameters if name in state),
            lazy=self._lazy,
            scripted_or_quantised=any(_uncountable(each) for each in modules_of(self.module)),
            notes=tuple(sorted(self.notes)),
        )

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Put the grader's weights in. Names and shapes were matched by the grader."""
        nn.Module.load_state_dict(self.module, dict(tensors), strict=False)

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
            logits[start : start + len(batch)] = self.rows(self.run(batch), len(batch), classes)
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
        layers = [
            (info.var_name, info.class_name, tuple(info.output_size or ()), int(info.num_params))
            for info in statistics.summary_list
            if info.is_leaf_layer
        ]
        return Described(
            torchinfo=int(statistics.total_params),
            torchinfo_error=None,
            mult_adds=int(statistics.total_mult_adds),
            layers=tuple(layers[:_MAX_LAYERS]),
        )

    def _owner(self, name: str) -> tuple[nn.Module, str]:
        path, _, parameter = name.rpartition(".")
        return nn.Module.get_submodule(self.module, path), parameter

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


def normalised(parts: Iterable[Tensor], images: Batches, layout: torch.memory_format) -> Iterator[Tensor]:
    """uint8 parts [n, c, H, W] as float32 `(pixels / 255 - mean) / std`."""
    shape = (1, -1, 1, 1)
    mean, std = torch.tensor(images.mean).view(shape), torch.tensor(images.std).view(shape)
    for part in parts:
        batch = part.to(torch.float32).div_(255)
        yield (batch - mean).div_(std).contiguous(memory_format=layout)


def own_dtype(module: nn.Module) -> torch.dtype:
    """The dtype that images arrive in: that of the first floating parameter, else buffer; float32 without either."""
    owners = modules_of(module)
    kept: list[Mapping[str, Tensor | None]] = [each._parameters for each in owners]  # noqa: SLF001
    kept += [each._buffers for each in owners]  # noqa: SLF001
    known = (tensor.dtype for tensors in kept for tensor in tensors.values() if tensor is not None)
    return next((dtype for dtype in known if dtype in _COMPUTING), torch.float32)


def evaluating(module: nn.Module) -> None:
    """Put everything into eval mode, whatever the student's `eval` does."""
    for each in modules_of(module):
        each.training = False


def modules_of(module: nn.Module) -> list[nn.Module]:
    """The module and all below it, each once; torch's own walk asks methods that a student may override."""
    found: dict[int, nn.Module] = {}
    waiting = [module]
    while waiting:
        each = waiting.pop()
        if id(each) not in found:
            found[id(each)] = each
            waiting += [child for child in each._modules.values() if child is not None]  # noqa: SLF001
    return list(found.values())


def _uncountable(module: nn.Module) -> bool:
    return isinstance(module, torch.jit.ScriptModule) or type(module).__module__.startswith(_QUANTISED)


def _tensors_in(output: Any) -> list[Tensor]:
    match output:
        case Mapping():
            items = list(output.values())
        case list() | tuple():
            items = list(output)
        case _:
            items = []
    return [each for each in items if isinstance(each, Tensor)]
