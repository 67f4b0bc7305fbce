"""Remove channels for real, with Torch-Pruning's dependency graph, from a copy of the student's network.

Fang et al. 2023, arXiv:2301.12900. In each group of coupled layers the channels that matter least go; the layers that
make the output keep theirs.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from harness.errors import SubmissionError
from harness.worker.copies import copied
from harness.worker.failures import describe, is_out_of_memory
from harness.worker.model import Model, modules_of

Method = Literal["l1", "gamma"]


def without_channels(model: Model, method: str, keep: float, classes: int) -> Model:
    """A copy of the network, as it is loaded, that has int(keep · C) of every C channels, and at least one.

    Args:
        method: `l1` goes by the L1 norm of the group's weights (Torch-Pruning's MagnitudeImportance), `gamma` by the
            signed scale of its BatchNorm layers, descending, as the network slimming of HW7 does; groups without
            BatchNorm then stay.

    Raises:
        SubmissionError: the network cannot be copied, traced or pruned; the text says why.
    """
    if method not in get_args(Method):
        raise ValueError(f"unknown method {method!r}")
    module = _copied(model.module)
    try:
        with torch.enable_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            removed = _prune(model, module, method, keep, classes)
    except SubmissionError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise _refused(f"its layers cannot be traced: {describe(error)}") from error
    if not removed:
        raise _refused("no layer has channels that could be removed" + _needs(method))
    return _working(module, model, classes)


def _copied(module: nn.Module) -> nn.Module:
    tensors = [id(each) for owner in modules_of(module) for each in owner._parameters.values() if each is not None]  # noqa: SLF001
    if len(set(tensors)) < len(tensors):
        raise _refused("some of its weights are tied, and would be cut apart")
    try:
        return copied(module)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise _refused(f"it cannot be copied: {describe(error)}") from error


def _prune(model: Model, module: nn.Module, method: str, keep: float, classes: int) -> int:
    """Groups of coupled layers that lost channels."""
    import torch_pruning

    for each in nn.Module.parameters(module):
        each.requires_grad_(each.is_floating_point())  # the graph is read from autograd's
    image = _the_image(model.input_shape[0])

    def logits(output: Any) -> Tensor:
        found = model.candidates(output)
        return next((each for each in found if tuple(each.shape) == (1, classes)), found[0])

    graph = torch_pruning.DependencyGraph().build_dependency(
        nn.Sequential(image, module), torch.zeros(1, *model.input_shape), output_transform=logits
    )
    importance: Any = torch_pruning.importance.MagnitudeImportance(p=1) if method == "l1" else signed_gamma
    names = {id(each): name for name, each in nn.Module.named_modules(module)}
    # All are chosen before the first goes, which changes the weights of others.
    cuts = [
        (group[0].dep, going)
        for group in graph.get_all_groups(ignored_layers=[image, *_last(graph)])
        if (going := _going(group, importance(group), keep, names))
    ]
    for root, going in cuts:
        graph.get_pruning_group(root.target.module, root.handler, going).prune()
    return len(cuts)


def _the_image(channels: int) -> nn.Module:
    """A layer before the network that changes nothing: what is coupled with its channels belongs to the image."""
    layer = nn.Conv2d(channels, channels, 1, bias=False)
    nn.init.dirac_(layer.weight)
    return layer


def _going(group: Any, scores: Tensor | None, keep: float, names: Mapping[int, str]) -> list[int]:
    """The channels of a group that matter least: all but int(keep · C) of them, and all but one at least.

    Where they are used in parts of equal size, as grouped convolutions do, every part loses the same ones, those that
    matter least on average over the parts, as in Torch-Pruning.

    Args:
        scores: float [C]; None: the method does not judge this group, and it stays.
    """
    if scores is None:
        return []
    count = len(group[0].idxs)
    staying = max(1, int(count * keep))
    used = [(_parts(item.dep.target.module), item.dep.target.module) for item in group]
    parts = math.lcm(*(each for each, _ in used))
    if staying % parts:
        most, layer = max(used, key=lambda each: each[0])
        name = names.get(id(layer), type(layer).__name__)
        left = f"{staying} of {count} channels would stay"
        raise _refused(f"{left}, which cannot be parted into the {most} groups of {name}")
    size = count // parts
    order = scores.cpu().view(parts, size).mean(0).argsort(stable=True)[: size - staying // parts]
    return [int(each) + part * size for part in range(parts) for each in order]


def _parts(layer: nn.Module) -> int:
    """In how many parts of equal size a layer uses its channels; 1 where each goes its own way."""
    if isinstance(layer, nn.GroupNorm):
        return layer.num_groups
    if isinstance(layer, _ConvNd) and layer.groups != layer.out_channels:
        return layer.groups
    return 1


def signed_gamma(group: Any) -> Tensor | None:
    """Per channel of a group, the mean of gamma over its BatchNorm layers: signed, so that -2 goes before 0.1.

    Args:
        group: of Torch-Pruning, with all indices.

    Returns:
        float [channels], or None where there is no BatchNorm with a scale.
    """
    import torch_pruning

    found = []
    for dependency, indices in group:
        layer = dependency.target.module
        out = dependency.handler == torch_pruning.prune_batchnorm_out_channels
        if isinstance(layer, _BatchNorm) and out and layer.weight is not None and len(indices) == len(group[0].idxs):
            found.append(layer.weight.detach()[indices].float())
    return torch.stack(found).mean(0) if found else None


def _last(graph: Any) -> list[nn.Module]:
    """The layers whose channels are the network's output: their number is the number of classes."""
    return [
        group[0].dep.target.module
        for group in graph.get_all_groups()
        if any(
            graph.is_out_channel_pruning_fn(dependency.handler) and not dependency.target.outputs
            for dependency, _ in group
        )
    ]


def _working(module: nn.Module, model: Model, classes: int) -> Model:
    try:
        pruned = Model(module, model.input_shape)
        pruned.rows(pruned.run(torch.zeros(2, *model.input_shape)), 2, classes)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        said = error.reason if isinstance(error, SubmissionError) else describe(error)
        raise _refused(f"its forward does not run with fewer channels: {said}") from error
    return pruned


def _needs(method: str) -> str:
    has = {"l1": "", "gamma": "; going by gamma needs BatchNorm after a convolution"}
    return has[method]


def _refused(reason: str) -> SubmissionError:
    return SubmissionError("rejected", f"channels cannot be removed from this network: {reason}")
