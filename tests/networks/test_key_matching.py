"""Names in a weights file, fitted to those of the model; and what is said when they do not fit."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from harness.errors import SubmissionError
from harness.networks import key_matching
from harness.networks.differences import Shapes, differences
from harness.networks.key_matching import match_keys


def net(width: int = 4) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.Flatten(), nn.Linear(width, 2))


def shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(each.shape) for name, each in module.state_dict().items()}


PREFIXES = {
    "as they are": (lambda n: n, lambda n: n),
    "DataParallel": (lambda n: f"module.{n}", lambda n: n),
    "compiled": (lambda n: f"_orig_mod.{n}", lambda n: n),
    "both": (lambda n: f"_orig_mod.module.{n}", lambda n: n),
    "in a wrapper class": (lambda n: f"model.{n}", lambda n: n),
    "wrapped twice": (lambda n: f"module.net.{n}", lambda n: n),
    "saved from inside": (lambda n: n, lambda n: f"net.{n}"),
    "the model really is called so": (lambda n: f"model.{n}", lambda n: f"model.{n}"),
    "wrapped in the middle": (lambda n: f"net.module.{n}", lambda n: f"net.{n}"),
    "one for another": (lambda n: f"module.{n}", lambda n: f"net.{n}"),
}


@pytest.mark.parametrize("case", PREFIXES)
def test_prefixes_are_fitted(case: str) -> None:
    given_name, model_name = PREFIXES[case]
    tensors = {given_name(name): each for name, each in net().state_dict().items()}
    expected = {model_name(name): shape for name, shape in shapes(net()).items()}
    fitted, notes = match_keys(tensors, expected)
    assert list(fitted) == list(expected)
    assert bool(notes) == (set(tensors) != set(expected))


def test_pruned_pairs_fit_either_way_and_stay_as_they_are() -> None:
    pruned = net()
    prune.random_unstructured(pruned[3], "weight", 0.5)
    fitted, _ = match_keys(pruned.state_dict(), shapes(net()))
    assert {"3.weight_orig", "3.weight_mask"} <= set(fitted)
    fitted, _ = match_keys(net().state_dict(), shapes(pruned))
    assert "3.weight" in fitted


def test_old_and_profiled_files_fit() -> None:
    state = {name: each for name, each in net().state_dict().items() if "num_batches" not in name}
    fitted, notes = match_keys({**state, "total_ops": torch.zeros(1), "0.total_params": torch.zeros(1)}, shapes(net()))
    assert set(fitted) == set(state)
    assert len(notes) == 2


def test_single_numbers_take_the_models_shape() -> None:
    state = {**net().state_dict(), "1.num_batches_tracked": torch.zeros(1)}
    fitted, _ = match_keys(state, shapes(net()))
    assert fitted["1.num_batches_tracked"].shape == ()


MISMATCHES: dict[str, tuple[dict[str, torch.Tensor], str, str]] = {
    "width": (net(5).state_dict(), "0.weight: the file has [5, 3, 3, 3], the model [4, 3, 3, 3]", "other widths"),
    "no statistics": (dict(net().named_parameters()), "1.running_mean [4] is missing", "BatchNorm statistics"),
    "renamed": ({f"layer{name}": each for name, each in net().state_dict().items()}, "is missing", "renamed"),
    "another class": (nn.LSTM(3, 4).state_dict(), "weight_ih_l0", "another class"),
    "a part": (dict(list(net().state_dict().items())[:2]), "1.weight [4] is missing", "only a part"),
    "more": ({**net().state_dict(), "7.weight": torch.zeros(3)}, "7.weight [3] is unknown", "more layers"),
}


@pytest.mark.parametrize("case", MISMATCHES)
def test_mismatches_are_listed_with_a_cause(case: str) -> None:
    tensors, reason, cause = MISMATCHES[case]
    with pytest.raises(SubmissionError) as raised:
        match_keys(tensors, shapes(net()))
    assert reason in raised.value.reason
    assert cause in str(raised.value.hint)


def test_many_names_of_many_parts_are_compared_a_few_times_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """62 prefixes to drop and as many to add: each way is another comparison of all names, in the grader."""
    deep = ".".join("abc"[part % 3] for part in range(62))
    compared: list[int] = []

    def counting(shapes: Shapes, expected: Shapes) -> list[str]:
        compared.append(len(shapes) + len(expected))
        return differences(shapes, expected)

    monkeypatch.setattr(key_matching, "differences", counting)
    for count, most in ((5, 200), (3_000, 50)):
        compared.clear()
        with pytest.raises(SubmissionError, match=f"{2 * count} differences"):
            match_keys(
                {f"{deep}.n{number}": torch.zeros(1) for number in range(count)},
                {f"x.{deep}.m{number}": (1,) for number in range(count)},
            )
        assert 12 <= len(compared) <= most
