"""Multiply-accumulates against the figures torchvision publishes with its models, and against counts by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.torchvision_import import import_torchvision
from harness.worker import cost as speed
from harness.worker.model import Model

CONVOLUTIONAL = ["resnet18", "mobilenet_v2", "shufflenet_v2_x1_0", "squeezenet1_0", "efficientnet_b0", "convnext_tiny"]
ATTENTION = ["vit_b_16", "swin_t", "swin_v2_t", "maxvit_t"]


class Shaped(Model):
    """A network on meta tensors alone: nothing of it is computed."""

    def __init__(self, module, input_shape):
        self.module, self.input_shape = module, input_shape


@pytest.mark.parametrize("name", CONVOLUTIONAL + ATTENTION)
def test_macs_are_torchvisions(name):
    models = import_torchvision().models
    weights = models.get_model_weights(name).DEFAULT
    side = weights.transforms().crop_size[0]
    with torch.device("meta"):
        network = models.get_model(name)
    assert speed.macs(Shaped(network, (3, side, side))) == pytest.approx(weights.meta["_ops"] * 1e9, rel=0.015)


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.layer, self.fc = kind(84, 32, batch_first=True), nn.Linear(32, 10)

    def forward(self, x):
        return self.fc(self.layer(x.permute(0, 2, 1, 3).flatten(2))[0][:, -1])


@pytest.mark.parametrize(("kind", "gates"), [(nn.LSTM, 4), (nn.GRU, 3)])
@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_recurrent_layers_by_hand(kind, gates, device):
    model = Model(Recurrent(kind), (3, 28, 28))
    if device == "cpu":  # what forward makes on its own is on the CPU, so meta tensors do not work
        constant = torch.zeros(1)
        model.module.register_forward_pre_hook(
            lambda _, given: (given[0] + constant.numpy().sum() + 0 * constant.sum(),)
        )
    assert speed.macs(model) == 28 * (84 + 32) * 32 * gates + 32 * 10


def test_attention_is_counted_on_real_tensors_too():
    class Attending(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
            self.offset = torch.zeros(1, 12, 16)  # no buffer, so it stays on the CPU

        def forward(self, x):
            x = x.flatten(1).view(-1, 12, 16) + self.offset.numpy().sum() + self.offset
            return self.attention(x, x, x)[0].flatten(1)[:, :4]

    projections, scores = 4 * 12 * 16 * 16, 2 * 12 * 12 * 16
    assert speed.macs(Model(Attending(), (3, 8, 8))) == projections + scores


def test_depthwise_and_grouped_convolutions_by_hand():
    module = nn.Sequential(
        nn.Conv2d(3, 12, 3, padding=1), nn.Conv2d(12, 12, 3, padding=1, groups=12), nn.Conv2d(12, 8, 1, groups=4),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4),
    )  # fmt: skip
    by_hand = 64 * (12 * 27 + 12 * 9 + 8 * 3) + 32
    assert speed.macs(Model(module, (3, 8, 8))) == by_hand


def test_counting_changes_nothing():
    module = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(192), nn.Linear(192, 4))
    model = Model(module, (3, 8, 8))
    before = torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn.enabled
    speed.macs(model)
    assert (torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn.enabled) == before
    assert all(each.device.type == "cpu" for each in module.parameters())


def test_latency_is_a_median_of_real_runs():
    runs = []

    class Counting(nn.Module):
        def forward(self, x):
            runs.append(len(x))
            return x.flatten(1)[:, :4]

    model = Model(Counting(), (3, 8, 8))
    runs.clear()
    found = speed.latency(model.run, torch.zeros(7, 3, 8, 8), 0.05)
    assert set(runs) == {7}
    assert 0 < found.median < 0.05
    assert found.iqr >= 0
