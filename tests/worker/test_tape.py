"""Forward passes that write into memory, read literals or leave torch: the same logits from the graph, or a refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from graph_networks import Of, images, traced
from torch import Tensor, nn

from harness.graph.refusal import GraphRefused
from harness.graph.replay import Replay


def _logits(self: Any, x: Tensor) -> Tensor:
    return self.head(x.flatten(1))


def _columns(self: Any, x: Tensor) -> Tensor:
    out = torch.zeros(len(x), 10)
    for column in range(5):
        out[:, column] = _logits(self, x)[:, column]
    out[:, 5:].copy_(_logits(self, x)[:, 5:])
    return out


def _views(self: Any, x: Tensor) -> Tensor:
    out = _logits(self, x)
    pairs = out.view(-1, 2, 5)
    pairs.relu_()
    pairs[:, 0].mul_(2)
    pairs.permute(2, 0, 1)[0] += 1
    pairs.unbind(1)[1].sub_(0.5)
    left, _ = out.chunk(2, 1)
    left *= 3
    left.t()[1] = 0
    out.narrow(1, 7, 2).neg_()
    out.unflatten(1, (2, 5)).flatten(1)[:, -1] = 3.0
    return out.unsqueeze_(0).squeeze_(0)


def _diagonal(self: Any, x: Tensor) -> Tensor:
    square = _logits(self, x)[:, :9].reshape(-1, 3, 3).clone()
    square.diagonal(0, 1, 2).zero_()
    square.split([1, 2], 1)[1].add_(1)
    return F.pad(square.flatten(1), (0, 1))


def _steps(self: Any, x: Tensor) -> Tensor:
    rows = x.flatten(2)
    state, states = torch.zeros(len(x), 192), torch.empty(rows.shape[1], len(x), 192)
    for step in range(rows.shape[1]):
        state = state.addcmul(rows[:, step].repeat(1, 3), torch.tensor(0.5))
        states[step] = state
    return self.head(states.mean(0))


def _into(self: Any, x: Tensor) -> Tensor:
    out = _logits(self, x)
    torch.add(out, 1, out=out)
    return out


def _own_images(self: Any, x: Tensor) -> Tensor:
    x -= 0.5
    return _logits(self, x.div_(0.2))


def _masked(self: Any, x: Tensor) -> Tensor:
    flat = x.flatten(1).clone()
    flat[flat < 0] = 0
    flat[:, self.chosen] = 1.0
    return self.head(flat)


def _data(self: Any, x: Tensor) -> Tensor:
    out = F.linear(x.flatten(1), self.head.weight.data)
    out.data.add_(1)
    return out


def _channels_last(self: Any, x: Tensor) -> Tensor:
    out = self.first(x.to(memory_format=torch.channels_last))
    out[:, 0] += 1
    return _logits(self, out.relu_())


def _other_dtype(self: Any, x: Tensor) -> Tensor:
    return torch.zeros(len(x), 10).add_(_logits(self, x).double())


def _overlapping(self: Any, x: Tensor) -> Tensor:
    out = _logits(self, x)
    out[:, 1:] += out[:, :-1].clone()
    return out


def _literals(self: Any, x: Tensor) -> Tensor:
    rates = [each.item() for each in torch.linspace(0, 0.1, 3)]
    offsets = torch.tensor([0.0] * 10)
    offsets[3] = 5
    return _logits(self, x) * rates[2] * torch.tensor([1.0, 2.0]).tolist()[1] + offsets


def _from_numpy(self: Any, x: Tensor) -> Tensor:
    return _logits(self, x) + torch.from_numpy(np.arange(10, dtype=np.float32))


def _vmap(self: Any, x: Tensor) -> Tensor:
    return torch.func.vmap(lambda image: self.head(image.flatten()))(x)


def _functional_call(self: Any, x: Tensor) -> Tensor:
    doubled = {"weight": self.head.weight * 2, "bias": self.head.bias}
    return torch.func.functional_call(self.head, doubled, (x.flatten(1),))


WRITING: dict[str, tuple[Callable[..., Tensor], dict[str, Any]]] = {
    "columns": (_columns, {}), "views": (_views, {}), "diagonal": (_diagonal, {}), "steps": (_steps, {}),
    "into": (_into, {}), "own images": (_own_images, {}), "masked": (_masked, {"chosen": torch.tensor([0, 3])}),
    "data": (_data, {}), "channels last": (_channels_last, {"first": nn.Conv2d(3, 3, 3, padding=1)}),
    "other dtype": (_other_dtype, {}), "overlapping": (_overlapping, {}), "literals": (_literals, {}),
    "from numpy": (_from_numpy, {}), "vmap": (_vmap, {}), "functional call": (_functional_call, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITING)
def test_the_graph_computes_what_was_written(name: str) -> None:
    function, members = WRITING[name]
    torch.manual_seed(0)
    module = Of(function, head=nn.Linear(192, 10), **members).eval()
    state = {name: each.clone() for name, each in module.state_dict().items()}
    found = traced(module)
    assert found.graph.input.batch is None
    for count in (1, 3, 64):
        with torch.inference_mode():
            expected = module(images(count))
        torch.testing.assert_close(Replay(found.graph)(found.tensors, images(count)), expected, rtol=0, atol=1e-6)
    for name, each in module.state_dict().items():
        torch.testing.assert_close(each, state[name], rtol=0, atol=0)


def _keeps(self: Any, x: Tensor) -> Tensor:
    before, self.before = getattr(self, "before", 0), x.mean()
    return _logits(self, x) + before


def _by_chance(self: Any, x: Tensor) -> Tensor:
    return _logits(self, x) + torch.from_numpy(np.random.rand(10).astype(np.float32))


def _clamps_weights(self: Any, x: Tensor) -> Tensor:
    self.head.weight.clamp_(-0.01, 0.01)
    return _logits(self, x)


def _overlaps(self: Any, x: Tensor) -> Tensor:
    flat = x.flatten(1).clone()
    flat.unfold(1, 2, 1)[:, 0, 0] = 1
    return self.head(flat)


def _counts_on(self: Any, x: Tensor) -> Tensor:
    return _logits(self, x) * len(x.untyped_storage())


def _branches_on_weights(self: Any, x: Tensor) -> Tensor:
    return _logits(self, x) if self.head.weight.sum() > 0 else x.flatten(1)[:, :10]


LEAVING: dict[str, tuple[Callable[..., Tensor], str]] = {
    "keeps": (_keeps, "earlier batches"),
    "by chance": (_by_chance, "two forward passes"),
    "clamps weights": (_clamps_weights, "changes head.weight"),
    "overlaps": (_overlaps, "memory that several tensors share"),
    "addresses": (_counts_on, "out of torch"),
    "branches on weights": (_branches_on_weights, "depends on the values"),
}


@pytest.mark.parametrize("name", LEAVING)
def test_what_a_graph_cannot_say_is_refused(name: str) -> None:
    function, words = LEAVING[name]
    module = Of(function, head=nn.Linear(192, 10)).eval()
    weight = module.head.weight.clone()
    with pytest.raises(GraphRefused, match=words):
        traced(module)
    assert torch.equal(module.head.weight, weight), "refusing leaves the network as it was"


def test_hooks_are_gone_afterwards() -> None:
    hooks = nn.modules.module
    before = len(hooks._global_forward_hooks), len(hooks._global_forward_pre_hooks)
    with pytest.raises(GraphRefused):
        traced(Of(_keeps, head=nn.Linear(192, 10)))
    assert (len(hooks._global_forward_hooks), len(hooks._global_forward_pre_hooks)) == before
