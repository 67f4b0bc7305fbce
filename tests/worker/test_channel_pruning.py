"""Removed channels against Torch-Pruning called plainly, and against networks whose answer is known by hand."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
import torch_pruning
from torch import nn

from harness.errors import SubmissionError
from harness.torchvision_import import import_torchvision
from harness.worker.channel_pruning import without_channels
from harness.worker.model import Model


def plain() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 20, 3), nn.BatchNorm2d(20),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(80, 10),
    )  # fmt: skip


def elements(module: nn.Module) -> int:
    return sum(each.numel() for each in module.parameters())


@pytest.mark.parametrize("keep", [0.9, 0.5, 0.25])
@pytest.mark.parametrize("name", ["plain", "resnet18", "mobilenet_v2"])
def test_counts_are_torch_prunings_own(name, keep):
    torchvision = import_torchvision()
    module = plain() if name == "plain" else torchvision.models.get_model(name, num_classes=10)
    module.eval()
    theirs = deepcopy(module)
    importance = torch_pruning.importance.MagnitudeImportance(p=1)
    last = [each for each in theirs.modules() if isinstance(each, nn.Linear)][-1]
    torch_pruning.pruner.BasePruner(
        theirs, torch.randn(1, 3, 32, 32), importance, pruning_ratio=1 - keep, ignored_layers=[last],
        in_channel_groups={}, out_channel_groups={},
    ).step()  # fmt: skip
    ours = without_channels(Model(module, (3, 32, 32)), "l1", keep, 10)
    assert elements(ours.module) == elements(theirs)
    for name, each in ours.module.state_dict().items():
        assert torch.equal(each, theirs.state_dict()[name]), name
    assert elements(module) > elements(theirs)  # the original keeps its channels


def test_gamma_is_signed_and_descending():
    """HW7: argsort(gamma, descending=True)[: int(C · keep)]; |gamma| would keep the -3."""
    module = plain()
    gamma = torch.arange(16.0) - 3.0
    module[1].weight.data = gamma[torch.randperm(16, generator=torch.Generator().manual_seed(1))]
    nn.init.normal_(module[4].weight)
    scales = module[1].weight.detach().clone()
    pruned = without_channels(Model(deepcopy(module), (3, 32, 32)), "gamma", 0.75, 10).module
    kept = scales.argsort(descending=True)[:12].sort().values
    assert torch.equal(pruned[1].weight, scales[kept])
    assert torch.equal(pruned[0].weight, module[0].weight[kept])
    second = module[4].weight.argsort(descending=True)[:15].sort().values
    assert torch.equal(pruned[3].weight, module[3].weight[second][:, kept])
    assert pruned[7].weight.shape == (10, 15 * 4)


@pytest.mark.parametrize("method", ["l1", "gamma"])
def test_at_least_one_channel_stays(method):
    module = plain()
    nn.init.normal_(module[1].weight)
    nn.init.normal_(module[4].weight)
    pruned = without_channels(Model(module, (3, 32, 32)), method, 0.055, 10).module
    assert (pruned[0].out_channels, pruned[3].out_channels) == (1, 1)  # int(0.055 · 16) = 0, int(0.055 · 20) = 1
    if method == "gamma":
        assert pruned[1].weight == module[1].weight.max()


def test_layers_without_batchnorm_are_left_alone_by_gamma():
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4),
    )  # fmt: skip
    pruned = without_channels(Model(module, (3, 16, 16)), "gamma", 0.5, 4).module
    assert pruned[0].out_channels == 4
    assert (pruned[3].in_channels, pruned[3].out_channels) == (4, 8)


def test_a_network_that_ends_in_pooling_keeps_its_classes():
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    pruned = without_channels(Model(module, (3, 16, 16)), "l1", 0.5, 4).module
    assert (pruned[0].out_channels, pruned[2].out_channels) == (4, 4)


def grouped(channels: int, groups: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, channels, 1), nn.ReLU(), nn.Conv2d(channels, channels, 1, groups=groups), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(channels, 4),
    )  # fmt: skip


@pytest.mark.parametrize(("channels", "groups", "keep"), [(16, 4, 0.75), (16, 4, 0.25), (12, 3, 0.5), (8, 8, 0.4)])
def test_grouped_layers_keep_as_many_of_every_group(channels, groups, keep):
    pruned = without_channels(Model(grouped(channels, groups), (3, 8, 8)), "l1", keep, 4).module
    left = int(channels * keep)
    assert (pruned[0].out_channels, pruned[2].out_channels, pruned[5].in_features) == (left, left, left)
    # By hand: 3 inputs, groups of left / groups inputs each (depthwise layers have fewer groups then), biases.
    taps = 1 if groups == channels else left // groups
    assert elements(pruned) == (3 * left + left) + (taps * left + left) + (4 * left + 4)


@pytest.mark.parametrize("normed", [False, True])
def test_what_does_not_divide_into_the_groups_is_no_cut(normed):
    """Torch-Pruning rounds, or leaves such layers whole: a curve would grow again."""
    if normed:
        module = grouped(16, 1)
        module[1] = nn.GroupNorm(4, 16)
    else:
        module = grouped(16, 4)
    for keep, left in ((0.9, 14), (0.1, 1)):
        with pytest.raises(
            SubmissionError, match=rf"{left} of 16 channels .* into the 4 groups of {1 if normed else 2}$"
        ):
            without_channels(Model(module, (3, 8, 8)), "l1", keep, 4)


class AddsTheImage(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)
        self.fc = nn.Linear(3, 4)

    def forward(self, x):
        return self.fc((x + self.two(self.one(x))).mean((2, 3)))


class WeighsTheImage(AddsTheImage):
    def __init__(self):
        super().__init__()
        self.gate = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return super().forward(x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid())


def depthwise_first() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 3, 3, groups=3),
        nn.BatchNorm2d(3),
        nn.Conv2d(3, 8, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 4),
    )


@pytest.mark.parametrize(
    ("made", "left"),
    [
        # By hand, with 2 of 8 channels: depthwise 27 + 3, BatchNorm 6, 3·2 + 2, 2·4 + 4.
        (depthwise_first, 27 + 3 + 6 + 8 + 12),
        (AddsTheImage, (27 * 2 + 2) + (18 * 3 + 3) + (3 * 4 + 4)),
        (WeighsTheImage, (27 * 2 + 2) + (18 * 3 + 3) + (3 * 4 + 4) + 12),
    ],
)
def test_the_channels_of_the_image_stay(made, left):
    pruned = without_channels(Model(made(), (3, 8, 8)), "l1", 0.25, 4).module
    assert elements(pruned) == left
    assert pruned(torch.zeros(2, 3, 8, 8)).shape == (2, 4)


class Block(nn.Module):
    def __init__(self, forward, **layers):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8 * 64, 4)
        for name, each in layers.items():
            setattr(self, name, each)
        self._forward = forward

    def forward(self, x):
        return self._forward(self, x)


def tied() -> nn.Module:
    block = Block(
        lambda self, x: self.fc((self.conv(x) + self.other(x)).flatten(1)), other=nn.Conv2d(3, 8, 3, padding=1)
    )
    block.other.weight = block.conv.weight
    return block


def untraceable() -> nn.Module:
    @torch.no_grad()
    def forward(self, x):
        return self.fc(self.conv(x).flatten(1))

    return Block(forward)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (tied, "tied"),
        (untraceable, "cannot be traced|no layer"),
        (lambda: Block(lambda self, x: self.fc(self.conv(x).view(-1, 512))), "forward does not run with fewer channels"),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(192, 4)), "no layer has channels"),
        (lambda: torch.jit.trace(Block(lambda self, x: self.fc(self.conv(x).flatten(1))), torch.zeros(2, 3, 8, 8)),
         "channels cannot be removed"),
    ],
)  # fmt: skip
def test_what_cannot_be_cut_is_said(made, reason):
    module = made()
    model = Model(module, (3, 8, 8))
    before = deepcopy(module.state_dict())
    with pytest.raises(SubmissionError, match=reason) as refused:
        without_channels(model, "l1", 0.5, 4)
    assert "channels cannot be removed from this network" in refused.value.reason
    for name, each in module.state_dict().items():
        assert torch.equal(each, before[name])


def test_gamma_needs_batchnorm():
    module = Block(lambda self, x: self.fc(self.conv(x).flatten(1)))
    with pytest.raises(SubmissionError, match="needs BatchNorm"):
        without_channels(Model(module, (3, 8, 8)), "gamma", 0.5, 4)


def test_frozen_weights_and_tuple_outputs_are_traced():
    module = Block(lambda self, x: (self.fc(self.conv(x).flatten(1)), x)).requires_grad_(False)
    pruned = without_channels(Model(module, (3, 8, 8)), "l1", 0.5, 4).module
    assert pruned.conv.out_channels == 4
    assert not any(each.requires_grad for each in module.parameters())
