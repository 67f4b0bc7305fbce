"""A graph on a device, which is the CPU here, against the module itself and the worker's own replay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import write_assignment
from graph_networks import CLASSES, SHAPE, Example, example, plain
from hand_ins import PLUGINS
from torch import Tensor

from harness.assignment.loading import load
from harness.errors import SubmissionError, UsageError
from harness.graph.cost import cost
from harness.networks import device as devices
from harness.networks.device import CannotRun, Device, DeviceNetwork
from harness.networks.remote import CALIBRATION_BATCH, batches_of
from harness.values.images import Images
from harness.values.networks import TracedNetwork
from harness.worker.replayed import ReplayedModel

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture
def rules(tmp_path: Path) -> Any:
    return load(str(write_assignment(tmp_path)), PLUGINS, needs_data=False).rules


def some_images(count: int) -> Images:
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (count, *SHAPE), dtype=np.uint8))
    return Images(pixels, 3, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3))


def network(found: Example, rules: Any, device: Device | None = None) -> DeviceNetwork:
    constants = {name: each for name, each in found.tensors.items() if name not in found.module.state_dict()}
    traced = TracedNetwork(found.graph, "", constants)
    return (device or Device("cpu")).network(traced, found.module.state_dict(), rules)


def by_the_module(module: torch.nn.Module, images: Images) -> Tensor:
    """As torchvision's ToTensor and Normalize would have it."""
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (images.mean, images.std))
    with torch.inference_mode():
        return module(((images.pixels / 255) - mean) / std)


@pytest.mark.parametrize("name", ["plain", "depthwise", "attention", "shared"])
def test_logits_are_the_module_s(name: str, rules: Any) -> None:
    found, images = example(name), some_images(700)
    expected = by_the_module(found.module, images)
    assert torch.allclose(network(found, rules).logits(images), expected, atol=1e-5 * float(expected.abs().max()))


def test_other_weights_are_taken_and_the_settings_are_put_back(rules: Any) -> None:
    other, images = plain().eval(), some_images(5)
    given = network(example("plain"), rules).logits(images, other.state_dict())
    assert torch.allclose(given, by_the_module(other, images), atol=1e-5)
    assert not torch.are_deterministic_algorithms_enabled()


def test_statistics_are_those_of_the_worker(rules: Any) -> None:
    found, images = example("plain"), some_images(CALIBRATION_BATCH * 2 + 3)
    there = network(found, rules).recalibrated(images)
    worker = ReplayedModel(found.graph, {})
    worker.load(found.tensors)
    expected = worker.recalibrated(images.pixels, batches_of(images, CALIBRATION_BATCH))
    assert set(expected) == {"1.running_mean", "1.running_var"}
    assert there.keys() == found.module.state_dict().keys()
    assert all(torch.equal(there[name], each) for name, each in expected.items())
    assert torch.equal(there["0.weight"], found.module.state_dict()["0.weight"])
    there["1.running_mean"].mul_(2)  # an evaluator's own from here on


def test_batches_are_powers_of_two_that_fit_and_are_halved_where_they_do_not(
    rules: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    device, sizes = Device("cpu"), []
    made = network(example("plain"), rules, device)
    replay = made._replay

    def small(weights: Any, batch: Tensor) -> Tensor:
        sizes.append(len(batch))
        if len(batch) > 100:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return replay(weights, batch)

    images, expected = some_images(300), made.logits(some_images(300))
    made._replay = small
    assert torch.allclose(made.logits(images), expected, atol=1e-5)
    # 300 images fit into one batch of 512; a quarter of 512 is more than 100, an eighth is not.
    assert sizes == [300, 256, 128, 64, 64, 64, 64, 44]
    monkeypatch.setattr(device, "free_bytes", lambda: 4 * 70 * cost(made._traced.graph).live_bytes)
    assert made._fitting() == 64
    made._replay = lambda *_: (_ for _ in ()).throw(torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(SubmissionError, match="one image needs more memory") as caught:
        made.logits(images)
    assert caught.value.status == "out_of_memory"


def test_what_a_device_cannot_do_and_what_takes_too_long(rules: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacks(*_: Any) -> Tensor:
        raise NotImplementedError("no kernel of 'aten::erf' for 'CUDA'\nlong list")

    made = network(example("plain"), rules)
    with monkeypatch.context() as patched:
        patched.setattr(devices, "Replay", lambda *_: lacks)
        with pytest.raises(CannotRun, match=r"^no kernel of 'aten::erf' for 'CUDA'$"):
            network(example("plain"), rules)
    clock = iter([0.0, 1.0, rules.limits.forward_seconds + 1])
    monkeypatch.setattr(devices.time, "monotonic", lambda: next(clock))
    with pytest.raises(SubmissionError, match="while running forward"):
        made.logits(some_images(600))


def test_latency_and_classes(rules: Any) -> None:
    made = network(example("plain"), rules)
    assert made.latency(batch_size=2, seconds=0.01).median > 0
    assert made.logits(some_images(1)).mul_(2).shape == (1, CLASSES)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_no_gpu_is_said() -> None:
    with pytest.raises(UsageError, match=r"--device cuda: torch .* finds no GPU here"):
        Device("cuda")
