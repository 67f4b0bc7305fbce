"""Copies of networks as they are after training, which `copy.deepcopy` refuses: they answer like the original."""

from __future__ import annotations

import copy
import threading

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from harness.worker.copies import copied

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 8, 3), nn.Linear(8, 4)

    def forward(self, x):
        self.kept = {"activations": [torch.relu(self.conv(x))]}
        return self.fc(self.kept["activations"][0].mean((2, 3)))


def masked(net):
    prune.l1_unstructured(net.conv, "weight", amount=0.5)
    prune.ln_structured(net.fc, "weight", amount=0.5, n=1, dim=0)


def hooked(net):
    net.seen = []
    net.conv.register_forward_hook(lambda _, __, output: net.seen.append(output))


def locked(net):
    net.lock, net.optimizer = threading.Lock(), torch.optim.SGD(net.parameters(), 0.1)


LIVE = {
    "pruning masks": masked,
    "old weight norm": lambda net: nn.utils.weight_norm(net.conv),
    "old spectral norm": lambda net: nn.utils.spectral_norm(net.conv),
    "new norms": lambda net: (parametrizations.weight_norm(net.conv), parametrizations.spectral_norm(net.fc)),
    "a hook that keeps activations": hooked,
    "a lock and an optimizer": locked,
}


@pytest.mark.parametrize("name", LIVE)
def test_a_live_network_is_copied_and_left_alone(name):
    torch.manual_seed(0)
    net, images = Net(), torch.rand(2, 3, 8, 8)
    LIVE[name](net)
    net(images).sum().backward()
    net.eval()
    with pytest.raises((RuntimeError, TypeError)):
        copy.deepcopy(net)
    expected, before = net(images), {key: each.clone() for key, each in net.state_dict().items()}
    other = copied(net)
    assert torch.equal(other(images), expected)
    assert not {id(each) for each in other.parameters()} & {id(each) for each in net.parameters()}
    with torch.no_grad():
        for each in other.parameters():
            each.zero_()
    assert all(torch.equal(each, before[key]) for key, each in net.state_dict().items())
    assert torch.equal(net(images), expected)
