"""Masks against torch.nn.utils.prune itself, summaries against hand-derived values, curves on small networks."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass

import pytest
import torch
from curve_fakes import Networked, images_of, networked
from harness_curves.masks import Masks, prunable, pruned
from harness_curves.pruning import PruningCurve, PruningOptions
from harness_curves.summaries import summaries
from hypothesis import given, settings
from hypothesis import strategies as st
from student_fakes import context
from torch import nn
from torch.nn.utils import prune
from torch.optim.swa_utils import update_bn

from harness.api import Examples, Images
from harness.errors import SubmissionError
from harness.networks.weights import nonzero_elements

FRACTIONS = (0.0005, 0.01, 0.1, 0.25, 1 / 3, 0.5, 0.77, 0.9, 0.95, 0.99, 0.9999)


def layers(values: str = "float") -> nn.Sequential:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.Conv2d(16, 32, 3, groups=4), nn.Linear(32, 10))
    with torch.no_grad():
        for each in network.parameters():
            if values == "half":
                each.copy_(each.half().float())
            if values == "coarse":  # ties everywhere, zeros included
                each.copy_((each * 20).round() / 20)
    return network


def weighted(network: nn.Sequential) -> list[tuple[nn.Module, str]]:
    return [(each, "weight") for each in network if each.weight.dim() > 1]


def weights(network: nn.Sequential) -> dict[str, torch.Tensor]:
    return {name: each.detach() for name, each in network.named_parameters() if each.dim() > 1}


def assert_same(masks: dict[str, torch.Tensor], network: nn.Sequential) -> None:
    theirs = {name.removesuffix("_mask"): each for name, each in network.named_buffers() if name.endswith("_mask")}
    assert masks.keys() == theirs.keys()
    for name, mask in masks.items():
        assert torch.equal(mask, theirs[name].bool()), name


@pytest.mark.parametrize("values", ["float", "half", "coarse"])
@pytest.mark.parametrize("fraction", FRACTIONS)
def test_global_masks_are_those_of_torch(values, fraction):
    network = layers(values)
    masks = Masks(weights(network), "global_l1").at(fraction)
    prune.global_unstructured(weighted(network), prune.L1Unstructured, amount=fraction)
    assert_same(masks, network)


@pytest.mark.parametrize("values", ["float", "half", "coarse"])
@pytest.mark.parametrize("fraction", FRACTIONS)
def test_layer_masks_are_those_of_torch(values, fraction):
    network = layers(values)
    masks = Masks(weights(network), "layer_l1").at(fraction)
    for module, name in weighted(network):
        prune.l1_unstructured(module, name, amount=fraction)
    assert_same(masks, network)


@settings(max_examples=60)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=300), st.floats(0.001, 0.999))
def test_ties_are_broken_as_torch_breaks_them(values, fraction):
    tensor = torch.tensor(values, dtype=torch.float32).view(1, -1)
    module = nn.Linear(len(values), 1)
    module.weight = nn.Parameter(tensor.clone())
    prune.l1_unstructured(module, "weight", amount=fraction)
    for method in ("global_l1", "layer_l1"):
        assert torch.equal(Masks({"weight": tensor}, method).at(fraction)["weight"], module.weight_mask.bool())


def test_one_sort_serves_all_fractions(monkeypatch):
    sorts = []
    argsort = torch.Tensor.argsort
    monkeypatch.setattr(torch.Tensor, "argsort", lambda self, *rest: sorts.append(len(self)) or argsort(self, *rest))
    monkeypatch.setattr(torch, "topk", lambda *_, **__: pytest.fail("distinct values need no second look"))
    tensor = torch.arange(-100.0, 0).view(10, 10)
    masks = Masks({"weight": tensor}, "global_l1")
    assert [int(masks.at(each)["weight"].sum()) for each in (0.1, 0.5, 0.9)] == [90, 50, 10]
    assert sorts == [100]


def test_random_masks_depend_on_the_seed_alone_and_are_nested():
    network = layers()
    one, again, other = (Masks(weights(network), "random", seed) for seed in (1, 1, 2))
    half = torch.cat([each.flatten() for each in one.at(0.5).values()])
    assert torch.equal(half, torch.cat([each.flatten() for each in again.at(0.5).values()]))
    assert not torch.equal(half, torch.cat([each.flatten() for each in other.at(0.5).values()]))
    assert int((~half).sum()) == round(0.5 * len(half))
    more = torch.cat([each.flatten() for each in one.at(0.9).values()])
    assert not bool((more & ~half).any())


def test_biases_and_batchnorm_are_left_alone(tmp_path):
    student = networked(layers(), tmp_path)
    assert list(prunable(student)) == ["0.weight", "2.weight", "3.weight"]
    masks = Masks(prunable(student), "global_l1").at(0.9)
    changed = pruned(student, masks)
    for name, each in student.weights.items():
        kept = masks.get(name, torch.ones_like(each, dtype=torch.bool))
        assert torch.equal(changed[name], each * kept)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.second(self.first(x.flatten(1)[:, :6]))


def test_tied_weights_are_pruned_once_and_stay_tied(tmp_path):
    student = networked(Tied(), tmp_path)
    assert list(prunable(student)) == ["first.weight"]
    changed = pruned(student, Masks(prunable(student), "global_l1").at(0.5))
    assert torch.equal(changed["first.weight"], changed["second.weight"])
    assert nonzero_elements(changed, student.facts.aliases) == 18 + 12


class Digits(nn.Module):
    """Image i shows its class in pixel i, of ten; weight c has size 1 + c, so small classes are forgotten first."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(10, 10)
        with torch.no_grad():
            self.fc.weight.copy_(torch.diag(1.0 + torch.arange(10)) + 0.01)
            self.fc.bias.copy_(-torch.arange(10) / 1000)

    def forward(self, x):
        return self.fc(x[:, 0].flatten(1)[:, :10])


def evaluated(tmp_path, **options):
    student = networked(Digits(), tmp_path)
    found = PruningCurve().evaluate(student, context(PruningOptions(**options), examples=images_of(range(10))))
    return student, found


def test_the_curve_of_a_network_that_can_be_worked_out_by_hand(tmp_path):
    # 90 weights of 0.01 go first, then the diagonal 1.01, 2.01, …: at 0.95 five classes are left. A lost class has
    # equal weights of 0 and is read from the biases: as class 0, which is right for image 0 only.
    student, found = evaluated(tmp_path, methods=("global_l1",), fractions=(0.5, 0.9, 0.95))
    (curve,) = found.curves
    assert (curve.name, curve.x, curve.y) == ("pruning", "parameters", "accuracy")
    (line,) = curve.series
    assert line.label == "global L1"
    # bias 0 is an exact zero and is not counted
    assert line.points == ((109, 1.0), (59, 1.0), (19, 1.0), (14, 0.6))
    assert line.sparsity == pytest.approx((1 / 110, 51 / 110, 91 / 110, 96 / 110))
    assert all(low <= y <= high for (_, y), low, high in zip(line.points, line.low, line.high, strict=True))
    # Wilson by hand for 6 of 10: (0.6 + z²/20 ± z·sqrt(0.024 + z²/400)) / (1 + z²/10)
    z = 1.959963984540054
    middle, half = (0.6 + z * z / 20), z * math.sqrt(0.024 + z * z / 400)
    assert line.low[-1] == pytest.approx((middle - half) / (1 + z * z / 10))
    assert found.checks == ()
    assert found.metrics["compression_within_1pp"].value == pytest.approx(109 / 19)
    assert student.calls == 4


def test_series_are_named_and_the_first_is_summarised(tmp_path):
    _, found = evaluated(tmp_path, methods=("random", "layer_l1", "global_l1"), seeds=(3, 4), fractions=(0.5,))
    labels = [each.label for each in found.curves[0].series]
    assert labels == ["random, seed 3", "random, seed 4", "layer-wise L1", "global L1"]
    assert found.metrics == summaries(found.curves[0].series[0].points)
    assert found.metrics.keys() | {"compression_at_knee"} == {spec.name for spec in PruningCurve.metrics}


def test_only_some_images_evenly_spaced(tmp_path):
    student = networked(Digits(), tmp_path)
    options = PruningOptions(methods=("global_l1",), fractions=(0.95,), images=3)
    found = PruningCurve().evaluate(student, context(options, examples=images_of(range(10))))
    # images 0, 3 and 6: of these class 3 is lost
    assert [y for _, y in found.curves[0].series[0].points] == [1.0, pytest.approx(2 / 3)]
    assert student.sizes == [3, 3]


@dataclass
class Fragile(Networked):
    def logits(self, images, weights=None, *, batch_size=64):
        if nonzero_elements(weights, ()) < 59:
            raise SubmissionError("rejected", "forward returned NaN")
        return super().logits(images, weights, batch_size=batch_size)


def test_a_network_that_cannot_stand_zeros_is_told_so_and_keeps_its_points(tmp_path):
    student = networked(Digits(), tmp_path, Fragile)
    options = PruningOptions(methods=("global_l1",), fractions=(0.5, 0.9))
    found = PruningCurve().evaluate(student, context(options, examples=images_of(range(10))))
    assert [x for x, _ in found.curves[0].series[0].points] == [109, 59]
    assert found.metrics == {}
    (check,) = found.checks
    assert (check.name, check.verdict) == ("pruning_curve", "could_not_check")
    assert check.reason == "forward returned NaN (global L1 from 0.9 on)"


def test_without_matrices_there_is_nothing_to_prune(tmp_path):
    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(10))

        def forward(self, x):
            return x[:, 0].flatten(1)[:, :10] * self.scale

    student = networked(Scale(), tmp_path)
    found = PruningCurve().evaluate(student, context(PruningOptions(), examples=images_of(range(10))))
    assert [each.verdict for each in found.checks] == ["could_not_check"]
    assert found.curves == ()


def test_summaries_by_hand():
    # compressions 1, 2, 4, 16: log2 0, 1, 2, 4
    found = summaries([(1600, 0.90), (800, 0.89), (400, 0.88), (100, 0.50)])
    area = (0.90 + 0.89) / 2 * 1 + (0.89 + 0.88) / 2 * 1 + (0.88 + 0.50) / 2 * 2
    assert found["pruning_auc"].value == pytest.approx(area / 4)
    assert found["compression_within_1pp"].value == 2.0
    assert found["compression_within_2pp"].value == 4.0
    assert {each.unit for each in found.values()} == {"fraction", "times"}


def test_the_network_itself_always_qualifies():
    found = summaries([(1000, 0.9), (500, 0.1)])
    assert found["compression_within_1pp"].value == found["compression_within_2pp"].value == 1.0


def test_a_flat_curve_has_its_accuracy_as_area():
    points = [(1000 / 2**power, 0.75) for power in (0, 0.3, 1, 2.5)]
    assert summaries(points)["pruning_auc"].value == pytest.approx(0.75)


def test_nothing_pruned_has_no_area_and_nothing_left_no_compression():
    assert "pruning_auc" not in summaries([(10, 0.5), (10, 0.5)])
    assert summaries([(10, 0.5), (0, 0.5)])["compression_within_1pp"].value == 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fractions": (0.5, 0.2)}, "ascending"),
        ({"fractions": (0.5, 0.5)}, "ascending"),
        ({"fractions": (0.0,)}, "greater than 0"),
        ({"fractions": (1.0,)}, "less than 1"),
        ({"fractions": ()}, "at least 1"),
        ({"methods": ("l1",)}, "global_l1"),
        ({"methods": ("random", "random")}, "twice"),
        ({"seeds": (1, 1)}, "twice"),
        ({"images": 0}, "greater than 0"),
        ({"image": 10}, "Extra inputs"),
    ],
)
def test_options_are_refused_with_a_reason(options, message):
    with pytest.raises(ValueError, match=message):
        PruningOptions(**options)


def test_the_knee_is_farthest_above_the_straight_line():
    # log2 0, 1, 2, 3; heights above the line from 0.9 to 0.3, in units of the fall: 0, 1/3, 2/3 - 1/6, 0
    found = summaries([(800, 0.9), (400, 0.9), (200, 0.8), (100, 0.3)])
    assert found["compression_at_knee"].value == 4.0
    assert summaries([(800, 0.9), (400, 0.9), (200, 0.6), (100, 0.3)])["compression_at_knee"].value == 2.0


@pytest.mark.parametrize(
    "points",
    [
        [(800, 0.9), (100, 0.3)],
        [(800, 0.5), (400, 0.6), (100, 0.7)],
        [(800, 0.9), (400, 0.4), (100, 0.3)],
        [(10, 0.5), (10, 0.4), (10, 0.3)],
    ],
)
def test_without_a_bend_there_is_no_knee(points):
    assert "compression_at_knee" not in summaries(points)


def channelled() -> nn.Sequential:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 12, 3, padding=1),
        nn.BatchNorm2d(12), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 10),
    )  # fmt: skip
    for each in network.modules():
        if isinstance(each, nn.BatchNorm2d):
            nn.init.normal_(each.weight)
            nn.init.uniform_(each.running_mean)
    return network.eval()


def cut(network: nn.Sequential, keep: float, order: str) -> nn.Sequential:
    """By hand: of every layer but the last, the int(keep · C) best channels by signed gamma."""
    assert order == "gamma"
    kept = [torch.arange(3)]
    for bn in (network[1], network[4]):
        count = int(keep * len(bn.weight))
        kept.append(bn.weight.argsort(descending=True)[:count].sort().values)
    smaller = nn.Sequential(
        nn.Conv2d(3, len(kept[1]), 3, padding=1), nn.BatchNorm2d(len(kept[1])), nn.ReLU(),
        nn.Conv2d(len(kept[1]), len(kept[2]), 3, padding=1), nn.BatchNorm2d(len(kept[2])), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(len(kept[2]), 10),
    )  # fmt: skip
    with torch.no_grad():
        for at, (before, here) in ((0, kept[:2]), (3, kept[1:])):
            smaller[at].weight.copy_(network[at].weight[here][:, before])
            smaller[at].bias.copy_(network[at].bias[here])
            for name, each in smaller[at + 1].state_dict().items():
                each.copy_(network[at + 1].state_dict()[name][here] if each.dim() else each)
        smaller[8].weight.copy_(network[8].weight[:, kept[2]])
        smaller[8].bias.copy_(network[8].bias)
    return smaller.eval()


def noise(count: int) -> Images:
    pixels = torch.randint(0, 256, (count, 3, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    return Images(pixels, 3, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def test_channels_by_gamma_as_cut_by_hand_with_and_without_recalibration(tmp_path):
    network, images = channelled(), noise(64)
    classes = network(images.pixels.float() / 255).argmax(1).numpy()
    graded = Examples(images, classes, tuple(map(str, range(64))), 10)
    options = PruningOptions(methods=("channels_gamma",), rates=(0.75, 0.5), iterations=2, recalibrate=True)
    student = networked(network, tmp_path)
    found = PruningCurve().evaluate(student, context(options, examples=graded, calibration=noise(100)))
    assert found.checks == ()
    (curve,) = found.curves
    labels = [f"channels by gamma, rate {rate}{more}" for rate in (0.75, 0.5) for more in ("", ", recalibrated")]
    assert [each.label for each in curve.series] == labels
    for plain, again, rate in zip(curve.series[::2], curve.series[1::2], (0.75, 0.5), strict=True):
        assert plain.points[0] == (
            sum(each.numel() for each in network.parameters()) - 28,
            1.0,
        )  # BatchNorm's biases are 0
        for step in (1, 2):
            smaller = cut(network, rate**step, "gamma")
            nonzero = sum(int((each != 0).sum()) for each in smaller.parameters())
            for line, module in ((plain, smaller), (again, recalibrated(smaller))):
                with torch.inference_mode():
                    right = (module(images.pixels.float() / 255).argmax(1).numpy() == classes).mean()
                assert line.points[step] == (nonzero, pytest.approx(right, abs=0.04))
                first, second = smaller[0].out_channels, smaller[3].out_channels
                assert line.macs[step] == 16 * (27 * first + 9 * first * second) + 10 * second


def recalibrated(module: nn.Module) -> nn.Module:
    module = deepcopy(module)
    update_bn([noise(100).pixels.float() / 255], module)
    return module.eval()


def test_networks_that_cannot_be_cut_say_so_once(tmp_path):
    options = PruningOptions(methods=("global_l1", "channels_gamma", "channels_l1"), rates=(0.9, 0.8), fractions=(0.5,))
    student = networked(Digits(), tmp_path)
    found = PruningCurve().evaluate(student, context(options, examples=images_of(range(10))))
    assert [each.label for each in found.curves[0].series] == ["global L1"]
    (check,) = found.checks
    assert check.verdict == "could_not_check"
    assert check.reason.count("channels cannot be removed") == 2  # gamma would need BatchNorm, L1 any channels
    assert "(channels by gamma, rate 0.9 from 0.1 on, channels by gamma, rate 0.8 from 0.2 on)" in check.reason
    assert "pruning_auc" in found.metrics


def test_a_wish_to_recalibrate_needs_images(tmp_path):
    options = PruningOptions(methods=("global_l1",), fractions=(0.5,), recalibrate=True)
    found = PruningCurve().evaluate(networked(channelled(), tmp_path), context(options, examples=images_of(range(10))))
    assert [each.label for each in found.curves[0].series] == ["global L1"]
    assert "[data.calibration]" in found.checks[0].reason


def test_fewer_images_to_recalibrate_on(tmp_path, monkeypatch):
    student, sizes = networked(channelled(), tmp_path), []
    plain = student.recalibrated
    monkeypatch.setattr(
        student, "recalibrated", lambda images, *rest: sizes.append(len(images.pixels)) or plain(images, *rest)
    )
    options = PruningOptions(methods=("global_l1",), fractions=(0.5,), recalibrate=True, calibration_images=16)
    PruningCurve().evaluate(student, context(options, examples=images_of(range(10)), calibration=noise(20)))
    assert sizes == [16, 16]


def test_without_batchnorm_nothing_is_measured_twice(tmp_path):
    options = PruningOptions(methods=("global_l1",), fractions=(0.5,), recalibrate=True)
    found = PruningCurve().evaluate(
        networked(Digits(), tmp_path), context(options, examples=images_of(range(10)), calibration=noise(20))
    )
    assert [each.label for each in found.curves[0].series] == ["global L1"]
    assert found.checks == ()


def test_bytes_of_a_point_are_those_its_weights_would_need(tmp_path):
    _, found = evaluated(tmp_path, methods=("global_l1",), fractions=(0.9,))
    (line,) = found.curves[0].series
    # 100 weights, 10 biases of which one is zero; 32 bits each, or a mask and the rest
    assert line.bytes == (400 + 2 + 9 * 4, 13 + 10 * 4 + 2 + 9 * 4)
