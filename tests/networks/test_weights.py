"""Counting and masking, against torch's own pruning and torchvision's published counts."""

import pytest
import torch
import torchinfo
from torch import nn
from torch.nn.utils import prune
from torch.overrides import TorchFunctionMode

from harness.networks.weights import for_model, live_masks, nonzero_elements, stored_elements, twins
from harness.torchvision_import import import_torchvision

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


class ParametersOnMeta(TorchFunctionMode):
    """Parameters without memory, everything else real: RegNet computes its widths with tensors while it is built."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if function is torch.empty:
            kwargs["device"] = "meta"
        return function(*args, **kwargs)


@pytest.mark.slow
def test_counts_equal_the_published_ones_of_every_torchvision_classifier():
    models = import_torchvision().models
    wrong, seen = [], 0
    for name in models.list_models(module=models):
        meta = models.get_model_weights(name).DEFAULT.meta
        published = meta["num_params"]
        more = {"image_size": meta["min_size"][0]} if name.startswith("vit") else {}
        if name in ("googlenet", "inception_v3"):
            more = {"init_weights": False, "aux_logits": name == "inception_v3"}
        with ParametersOnMeta():
            module = models.get_model(name, weights=None, **more)
        parameters = {key for key, _ in module.named_parameters(remove_duplicate=False)}
        # Swin's index tables are constants in buffers, which the stored count includes on purpose.
        state = {
            key: each for key, each in module.state_dict().items() if key in parameters or key.endswith(STATISTICS)
        }
        seen += 1
        counts = {stored_elements(state, ()), torchinfo.summary(module, verbose=0).total_params}
        wrong += [] if counts == {published} else [(name, published, counts)]
    assert wrong == []
    assert seen >= 80


def test_a_live_mask_is_multiplied_in_and_not_counted():
    torch.manual_seed(0)
    layer = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    prune.random_unstructured(layer[0], "weight", 0.25)
    decoded = layer.state_dict()
    masked = int((decoded["0.weight_mask"] == 0).sum())
    assert masked == 54
    assert stored_elements(decoded, ()) == 216 + 8 + 16
    zeros_in_batchnorm_and_bias = int((decoded["1.bias"] == 0).sum()) + int((decoded["0.bias"] == 0).sum())
    assert nonzero_elements(decoded, ()) == 240 - masked - zeros_in_batchnorm_and_bias
    plain = for_model(decoded, ["0.weight", "0.bias", "1.weight", "1.bias"])
    assert torch.equal(plain["0.weight"], layer[0].weight)


def test_a_model_that_prunes_itself_gets_the_pair_with_the_mask_already_multiplied_in():
    decoded = {"weight_orig": torch.tensor([1.0, 2.0]), "weight_mask": torch.tensor([0.0, 1.0])}
    sent = for_model(decoded, ["weight_orig", "weight_mask"])
    assert sent["weight_orig"].tolist() == [0.0, 2.0]
    assert sent["weight_mask"].tolist() == [0.0, 1.0]
    unpruned = for_model({"weight": torch.tensor([1.0, 2.0])}, ["weight_orig", "weight_mask"])
    assert unpruned["weight_orig"].tolist() == [1.0, 2.0]
    assert unpruned["weight_mask"].tolist() == [1.0, 1.0]


def test_what_only_looks_like_a_mask_is_counted():
    decoded = {"weight_orig": torch.ones(4), "weight_mask": torch.tensor([0.0, 0.5, 1.0, 1.0])}
    assert live_masks(decoded) == {}
    assert stored_elements(decoded, ()) == 8
    assert stored_elements({"weight_orig": torch.ones(4), "weight_mask": torch.ones(3)}, ()) == 7
    assert stored_elements({"weight_mask": torch.ones(3)}, ()) == 3


def test_sharing_counts_once_only_where_the_values_are_equal():
    tied = torch.arange(5.0)
    assert stored_elements({"a": tied, "b": tied.clone()}, [("a", "b")]) == 5
    assert stored_elements({"a": tied, "b": tied + 1}, [("a", "b")]) == 10
    assert stored_elements({"a": tied, "b": tied}, []) == 10
    assert stored_elements({"a": tied}, [("a", "gone"), ("gone", "a")]) == 5


def test_running_statistics_need_the_shape_of_running_statistics():
    norm = nn.BatchNorm2d(6).state_dict()
    assert stored_elements(norm, ()) == 12
    assert stored_elements(nn.BatchNorm2d(6, affine=False).state_dict(), ()) == 0
    assert stored_elements({"running_mean": torch.ones(50, 50), "running_var": torch.ones(50, 50)}, ()) == 5000
    assert stored_elements({"running_mean": torch.ones(50)}, ()) == 50
    assert stored_elements(norm | {"running_mean": torch.ones(900), "running_var": torch.ones(900)}, ()) == 12 + 1800
    assert stored_elements({"num_batches_tracked": torch.ones(7)}, ()) == 7


def test_only_counters_of_normalising_layers_are_free():
    norm = {f"bn.{name}": each for name, each in nn.BatchNorm2d(4).state_dict().items()}
    assert stored_elements(norm, ()) == 8  # its weight and bias
    hidden = {f"h{number}.num_batches_tracked": torch.tensor(7000 - number) for number in range(50)}
    assert stored_elements({**norm, **hidden}, ()) == 8 + 50
    for value in (torch.tensor(-1), torch.tensor(2**41), torch.tensor(0.5), torch.tensor([1, 2])):
        assert stored_elements({**norm, "bn.num_batches_tracked": value}, ()) > 8


def test_whole_and_complex_numbers_count_as_what_they_carry():
    # Four 8-bit numbers in each of 100, eight in each of 100, and what is honest: indices, masks, 8 bits, steps.
    packed = torch.randint(0, 256, (100, 4), dtype=torch.uint8).index_fill(1, torch.tensor([3]), 127).view(torch.int32)
    wide = torch.randint(0, 256, (100, 8), dtype=torch.uint8).index_fill(1, torch.tensor([7]), 127).view(torch.int64)
    for tensor, each in (
        (packed, 4), (wide, 8), (torch.arange(60_000), 1), (torch.ones(9, dtype=torch.bool), 1),
        (torch.randint(-128, 128, (50,)).to(torch.int8), 1), (torch.randn(7, dtype=torch.complex64), 2),
        (torch.zeros(0, dtype=torch.int64), 1), (torch.randn(5), 1),
    ):  # fmt: skip
        assert stored_elements({"a": tensor}, ()) == each * tensor.numel()


def test_a_counter_carries_nothing_into_the_network():
    norm = nn.BatchNorm2d(4)
    norm.num_batches_tracked.fill_(1234567)
    sent = for_model(norm.state_dict(), norm.state_dict())
    assert int(sent["num_batches_tracked"]) == 0
    assert sent.keys() == norm.state_dict().keys()


def test_tensors_that_are_equal_only_when_rounded_are_two():
    whole = torch.arange(2**30, 2**30 + 64, dtype=torch.int32)
    rounded = torch.full((64,), 2.0**30, dtype=torch.bfloat16)
    assert bool((whole == rounded).all())  # as torch compares them
    signed = torch.tensor([0.0, -0.0])
    for one, other in ((whole, rounded), (signed, signed.abs()), (signed.double(), signed)):
        assert twins({"a": one, "b": other}, [("a", "b")]) == {}
    assert twins({"a": whole, "b": whole.clone()}, [("a", "b")]) == {"b": "a"}
    matrix = torch.randn(3, 5)
    assert stored_elements({"a": matrix, "b": matrix.t().contiguous()}, [("a", "b")]) == 15
