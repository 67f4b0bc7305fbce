"""BatchNorm statistics against torch.optim.swa_utils.update_bn, the reference for gathering them anew."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from harness.worker.messages import Batches
from harness.worker.model import Model
from harness.worker.recalibration import recalibrated

IMAGES = Batches(pixels=(16, 3, 8, 8), mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25), batch_size=16)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6, momentum=0.3), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(216, 5),
        nn.BatchNorm1d(5),
    )  # fmt: skip


def pixels(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("count", [16, 48])
def test_statistics_are_those_of_update_bn(count):
    module = network().eval()
    reference = deepcopy(module)
    for layer in reference:  # update_bn takes the whole module into train mode; dropout must not
        layer.p = 0.0
    inputs = (pixels(count).float() / 255 - 0.5) / 0.25
    update_bn(inputs.split(16), reference)
    found = recalibrated(Model(module, (3, 8, 8)), pixels(count), IMAGES)
    assert found.keys() == {
        f"{layer}.{name}" for layer in (1, 6) for name in ("running_mean", "running_var", "num_batches_tracked")
    }
    for name, each in found.items():
        torch.testing.assert_close(each, reference.state_dict()[name], rtol=1e-4, atol=1e-5)


def test_instance_norm_that_keeps_statistics_is_recalibrated_as_by_numpy():
    module = nn.Sequential(nn.InstanceNorm2d(3, track_running_stats=True), nn.Flatten(), nn.Linear(192, 5)).eval()
    found = recalibrated(Model(module, (3, 8, 8)), pixels(48), IMAGES)
    every = (np.float64(pixels(48).flatten(2)) / 255 - 0.5) / 0.25
    np.testing.assert_allclose(found["0.running_mean"], every.mean(2).mean(0), atol=1e-5)
    np.testing.assert_allclose(found["0.running_var"], every.var(2, ddof=1).mean(0), rtol=1e-5)
    assert (module[0].momentum, module[0].training, dict(module[0]._forward_pre_hooks)) == (0.1, False, {})


def test_the_model_keeps_what_it_had():
    module = network()
    before, momentum = deepcopy(module.state_dict()), module[1].momentum
    recalibrated(Model(module, (3, 8, 8)), pixels(20), IMAGES)
    for name, each in module.state_dict().items():
        assert torch.equal(each, before[name]), name
    assert module[1].momentum == momentum
    assert not any(each.training for each in module.modules())


def test_a_failing_forward_leaves_it_as_it_was_too():
    class Failing(nn.Module):
        def __init__(self):
            super().__init__()
            self.bn = nn.BatchNorm2d(3)

        def forward(self, x):
            if len(x) > 5:
                raise ValueError("five at most")
            return self.bn(x).mean((2, 3))

    model = Model(Failing(), (3, 8, 8))
    with pytest.raises(ValueError, match="five"):
        recalibrated(model, pixels(8), IMAGES)
    assert torch.equal(model.module.bn.running_mean, torch.zeros(3))
    assert (model.module.bn.training, model.module.bn.momentum) == (False, 0.1)


def test_without_batchnorm_there_is_nothing_to_gather():
    module = nn.Sequential(nn.InstanceNorm2d(3), nn.GroupNorm(3, 3), nn.Flatten(), nn.Linear(192, 5))
    assert recalibrated(Model(module, (3, 8, 8)), pixels(4), IMAGES) == {}


def test_batches_weigh_the_same():
    """17 images in batches of 16 at most: 9 and 8, not 16 and 1, which BatchNorm1d refuses to learn from."""
    module = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(192))
    found = recalibrated(Model(module, (3, 8, 8)), pixels(17), IMAGES)
    inputs = ((pixels(17).float() / 255 - 0.5) / 0.25).flatten(1)
    torch.testing.assert_close(found["1.running_mean"], (inputs[:9].mean(0) + inputs[9:].mean(0)) / 2)
    torch.testing.assert_close(found["1.running_var"], (inputs[:9].var(0) + inputs[9:].var(0)) / 2)
