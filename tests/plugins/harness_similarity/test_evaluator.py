"""Copies made by hand are listed, however they are dressed up; networks trained independently never are."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
import torch
from harness_similarity.evaluator import Similarity, SimilarityOptions
from harness_similarity.layers import aligned, contained, network, normal_form
from harness_similarity.matching import Matcher, in_place
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from similarity_fakes import (
    ARCHITECTURES,
    answers,
    entry,
    folded,
    narrowed,
    pruned,
    renamed,
    reordered,
    rounded,
    student,
    tuned,
)

from harness.api import ClassComparison, ClassEntry
from harness.plugins import Plugins

KINDS = list(ARCHITECTURES)


def compared(entries: list[ClassEntry], **options) -> ClassComparison:
    return Similarity().evaluate_class(entries, SimilarityOptions(**options), {})


def independents(kind: str, count: int = 4) -> list[ClassEntry]:
    return [entry(f"student-{seed}", student(kind, seed)) for seed in range(1, count + 1)]


def listed(comparison: ClassComparison) -> dict[frozenset[str], str]:
    return {frozenset(each.submissions): each.evidence["found"] for each in comparison.findings}


COPIES = {
    "exact": (lambda kind, state: state, "same numbers"),
    "fine-tuned": (lambda kind, state: tuned(kind, state, 60, 77), "in place"),
    "8 bits": (lambda kind, state: rounded(state), "in place"),
    "fp16": (lambda kind, state: {name: each.half() for name, each in state.items()}, "in place"),
    "pruned by half": (lambda kind, state: pruned(state, 0.5), "in place"),
    "under other names": (lambda kind, state: renamed(rounded(state)), "in place"),
    "reordered and rescaled": (lambda kind, state: reordered(kind, state, 5), "reordered"),
    "reordered, rescaled, fine-tuned": (
        lambda kind, state: reordered(kind, tuned(kind, state, 60, 77), 6),
        "reordered",
    ),
    "reordered, 8 bits": (lambda kind, state: rounded(reordered(kind, rounded(state), 7)), "reordered"),
    "pruned, reordered": (lambda kind, state: reordered(kind, pruned(state, 0.5), 8), "reordered"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", COPIES)
def test_a_copy_is_listed_and_nobody_else(kind, way):
    make, found = COPIES[way]
    original = student(kind, 1)
    copy = make(kind, original)
    comparison = compared([*independents(kind), entry("copy", copy)])
    assert listed(comparison) == {frozenset({"student-1", "copy"}): found}
    (finding,) = comparison.findings
    assert finding.evidence.get("resemblance", 1) > 0.6
    assert 300 < len(finding.paragraph) < 1300
    assert "\n" not in finding.paragraph
    assert "neither who gave it to whom" in finding.paragraph


@pytest.mark.parametrize("kind", KINDS)
def test_reordering_by_hand_changes_nothing_but_the_look(kind):
    original = student(kind, 1)
    copy = reordered(kind, original, 5)
    torch.testing.assert_close(answers(kind, copy), answers(kind, original), rtol=1e-3, atol=1e-3)
    one, other = (network(name, entry(name, state).weights) for name, state in (("a", original), ("b", copy)))
    places = aligned(one.shapes, other.shapes)
    assert float(in_place([one], [other], places)[0, 0]) < 0.35
    match = Matcher(-1).match(one, other, places)
    assert match.resemblance > 0.95
    assert match.moved > 0.75


@pytest.mark.parametrize("kind", KINDS)
def test_independent_networks_are_far_from_the_threshold(kind):
    networks = [network(each.submission, each.weights) for each in independents(kind, 6)]
    places = aligned(networks[0].shapes, networks[1].shapes)
    matcher = Matcher(-1)
    for one, other in itertools.combinations(networks, 2):
        assert matcher.match(one, other, places).resemblance < 0.2
        assert abs(float(in_place([one], [other], places)[0, 0])) < 0.2


def test_the_same_start_is_listed_with_the_note_that_says_why():
    """Two honest students of one seed: other images in another order, and still alike."""
    for kind in KINDS:
        entries = [*independents(kind, 3), entry("same-seed", student(kind, 1, order=50))]
        (finding,) = compared(entries).findings
        assert set(finding.submissions) == {"student-1", "same-seed"}
        assert finding.evidence["found"] == "in place"
        assert "begin with the same initial weights" in finding.paragraph
        assert "the seed in a handed-out notebook" in finding.paragraph


def test_the_same_start_is_no_excuse_for_another_order():
    original = student("plain", 1)
    (finding,) = compared([entry("a", original), entry("b", reordered("plain", original, 1))]).findings
    assert "the same start does not explain this" in finding.paragraph


def test_a_class_that_began_together_lists_only_those_that_stand_out():
    together = [entry(f"together-{order}", student("plain", 1, order=order)) for order in range(20, 26)]
    copy = entry("copy", rounded(student("plain", 1, order=20)))
    comparison = compared([*together, copy])
    assert listed(comparison) == {frozenset({"together-20", "copy"}): "in place"}
    assert any("probably began with the same weights" in note for note in comparison.notes)


def test_the_very_same_file_comes_first():
    entries = [*independents("plain"), entry("tuned", tuned("plain", student("plain", 2), 20, 9))]
    entries += [entry("one", student("residual", 1), file=b"same"), entry("two", student("residual", 1), file=b"same")]
    comparison = compared(entries)
    assert [(set(each.submissions), each.evidence["found"]) for each in comparison.findings] == [
        ({"one", "two"}, "same file"),
        ({"student-2", "tuned"}, "in place"),
    ]
    assert "the very same weights file" in comparison.findings[0].paragraph
    assert comparison.findings[0].evidence["equal tensors"] == "27 of 27"


def test_a_borrowed_part_is_listed_with_its_share():
    own = student("plain", 3)
    borrowed = {name: student("plain", 1)[name] if name.startswith(("a.", "bn.")) else own[name] for name in own}
    comparison = compared([*independents("plain", 2), entry("borrower", borrowed)])
    (finding,) = comparison.findings
    assert set(finding.submissions) == {"student-1", "borrower"}
    # Six of ten tensors, BatchNorm's counter left out; Conv2d(3, 8, 3) with its BatchNorm holds 256 of 9,274 numbers.
    assert finding.evidence["equal tensors"] == "6 of 10"
    assert "3 % of all" in finding.paragraph
    assert "a table that code computes" in finding.paragraph


def test_what_most_of_the_class_has_was_handed_out():
    stem = {name: each for name, each in student("plain", 9).items() if name.startswith(("a.", "bn."))}
    entries = [entry(f"student-{seed}", student("plain", seed) | stem) for seed in range(1, 7)]
    comparison = compared(entries)
    assert not [each for each in comparison.findings if "equal tensors" in each.evidence]
    assert any("handed out" in note for note in comparison.notes)


def test_folding_batchnorm_away_hides_nothing():
    folds = {"plain": {"bn": "a"}, "residual": {"bn": "stem", "one.bn1": "one.conv1", "two.bn2": "two.conv2"}}
    for kind, norms in folds.items():
        copy = folded(reordered(kind, student(kind, 1), 3), norms)
        assert listed(compared([*independents(kind), entry("copy", copy)])) == {
            frozenset({"student-1", "copy"}): "reordered"
        }


def test_a_layer_more_hides_nothing():
    copy = {"unused.weight": torch.randn(5, 4), **reordered("plain", student("plain", 1), 3), "more": torch.randn(3, 3)}
    assert listed(compared([*independents("plain"), entry("copy", copy)])) == {
        frozenset({"student-1", "copy"}): "reordered"
    }


def test_channels_cut_out_of_another_network_are_found():
    cut = narrowed(student("plain", 1), 5)
    comparison = compared([*independents("plain"), entry("cut", tuned_narrow(cut))])
    assert listed(comparison) == {frozenset({"student-1", "cut"}): "cut out"}
    assert "'cut' has fewer channels than 'student-1'" in comparison.findings[0].paragraph
    assert "prune the same handed-out network" in comparison.findings[0].paragraph


def tuned_narrow(state):
    """Trained on after the cut, as one does."""
    from integrity_fakes import Net, trained
    from torch import nn

    module = Net()
    module.a, module.bn, module.b = nn.Conv2d(3, 5, 3, 2, 1), nn.BatchNorm2d(5), nn.Conv2d(5, 16, 3, 2, 1)
    module.load_state_dict(state)
    return trained(module, 60, 4).state_dict()


def test_narrower_networks_of_their_own_are_not_cut_out_of_others():
    from integrity_fakes import Net, trained
    from torch import nn

    torch.manual_seed(8)
    module = Net()
    module.a, module.bn, module.b = nn.Conv2d(3, 5, 3, 2, 1), nn.BatchNorm2d(5), nn.Conv2d(5, 16, 3, 2, 1)
    own = trained(module, 120, 8).state_dict()
    assert compared([*independents("plain"), entry("own", own)]).findings == ()


def test_agreement_is_told_beside_what_is_usual():
    random = np.random.default_rng(0)
    truth = random.integers(0, 10, 1000)
    entries = []
    for each in independents("plain"):
        wrong = random.random(1000) < 0.2
        entries.append(entry(each.submission, student("plain", int(each.submission[-1])), np.where(wrong, 0, truth)))
    copy = entry("copy", rounded(student("plain", 1)), entries[0].predictions)
    (finding,) = compared([*entries, copy]).findings
    assert finding.evidence["same predictions"] == 1
    shares = [
        np.mean(np.array(one.predictions) == np.array(other.predictions))
        for one, other in itertools.combinations([*entries, copy], 2)
    ]
    assert (
        f"100.0 % of the graded images into the same class (median of all pairs: {100 * np.median(shares):.1f} %)"
        in (finding.paragraph)
    )
    shorter = entry("copy", rounded(student("plain", 1)), entries[0].predictions[:10])
    assert "same predictions" not in compared([*entries, shorter]).findings[0].evidence


def test_when_both_were_handed_in_is_told():
    moments = {"early": datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "late": datetime(2026, 1, 9, 8, 7, tzinfo=UTC)}
    entries = [replace(entry(name, student("plain", 1)), submitted_at=moments[name]) for name in moments]
    (finding,) = compared(entries).findings
    assert "Handed in: 'early' 2026-01-02 03:04 UTC, 'late' 2026-01-09 08:07 UTC." in finding.paragraph


def test_the_list_has_an_end():
    copies = [entry(f"copy-{number}", student("plain", 1)) for number in range(6)]
    comparison = compared(copies, most=4)
    assert len(comparison.findings) == 4
    assert any(note.startswith("11 more pairs") for note in comparison.notes)


HOSTILE = {
    "nothing at all": {},
    "vectors only": {"a": torch.randn(30)},
    "all zeros": {"a.weight": torch.zeros(8, 3, 3, 3), "b.weight": torch.zeros(10, 8)},
    "one number": {"a.weight": torch.ones(1, 1)},
    "a scalar": {"a": torch.tensor(3.5)},
    "thousands of layers": {f"layer.{number}": torch.randn(2, 2) for number in range(3000)},
    "very tall": {"a.weight": torch.randn(60_000, 1)},
    "very large and very small": {"a.weight": torch.randn(8, 3, 3, 3) * 1e30, "b.weight": torch.randn(10, 8) * 1e-30},
    "names that move the cursor": {"\x1b[2Ja": torch.randn(4, 4), "__metadata__": torch.randn(4, 4)},
}


@pytest.mark.parametrize("way", HOSTILE)
def test_odd_weights_stop_nobody(way):
    odd = [entry(f"odd-{number}\x1b[31m", HOSTILE[way], file=bytes([number])) for number in (1, 2)]
    comparison = compared([*independents("plain", 2), *odd, entry("copy", student("plain", 1))])
    assert frozenset({"student-1", "copy"}) in listed(comparison)
    assert not any("\x1b" in each.paragraph for each in comparison.findings)
    if way in {"nothing at all", "all zeros"}:
        assert len(comparison.findings) == 1


@pytest.mark.parametrize("entries", [[], ["alone"]])
def test_classes_of_none_and_one_have_nothing_to_compare(entries):
    assert compared([entry(name, student("plain", 1)) for name in entries]).findings == ()


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(2, 6), st.sampled_from([1, 9]))
@example(1092, 2, 2, 1)  # a number near zero: the columns even out slowly
def test_the_normal_form_knows_no_scales(seed, outputs, inputs, taps):
    random = np.random.default_rng(seed)
    weight = random.normal(size=(outputs, inputs, taps)).astype(np.float32)
    rows, columns = np.exp(random.normal(size=(outputs, 1, 1))), np.exp(random.normal(size=(1, inputs, 1)))
    np.testing.assert_allclose(normal_form(weight * rows * columns), normal_form(weight), atol=0.1)
    np.testing.assert_allclose(np.linalg.norm(normal_form(weight), axis=(1, 2)), 1, rtol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_matching_one_layer_is_the_best_of_all_orders(seed):
    """Against every permutation, tried out."""
    random = np.random.default_rng(seed)
    one, other = (network(name, {"w": random.normal(size=(5, 4)).astype(np.float32)}) for name in "ab")
    left, right = one.layers[0][:, :, 0], other.layers[0][:, :, 0]
    best = max(
        np.mean([abs(left[row] @ right[order[row]]) for row in range(5)]) for order in itertools.permutations(range(5))
    )
    shuffled = np.random.default_rng(0).permutation(right.reshape(-1)).reshape(5, 4)
    shuffled = shuffled / np.linalg.norm(shuffled, axis=1, keepdims=True)
    by_chance = np.abs(left @ shuffled.T)
    chance = by_chance[linear_sum_assignment(by_chance, maximize=True)].mean()
    (found,) = Matcher(-1).match(one, other, [(0, 0)]).layers
    assert found == pytest.approx((best - chance) / (1 - chance), abs=1e-5)


def test_layers_are_aligned_by_their_shapes():
    conv, other, last = (8, 3, 9), (16, 8, 9), (10, 784, 1)
    assert aligned((conv, other, last), (conv, other, last)) == [(0, 0), (1, 1), (2, 2)]
    assert aligned((conv, other, last), ((5, 5, 1), conv, other, last)) == [(0, 1), (1, 2), (2, 3)]
    assert aligned((conv, last), (conv, (10, 783, 1))) == []
    assert contained((conv, (10, 8, 1)), ((16, 3, 9), (10, 16, 1)))
    assert not contained((conv, last), (conv, last))
    assert not contained(((8, 3, 25), last), (conv, last))


def test_the_hook_is_found_and_its_options_are_validated():
    found = Plugins.installed().class_evaluators["similarity"]
    assert found.Options().resemblance == 0.3
    with pytest.raises(ValueError, match=r"greater than or equal to 0\.2"):
        found.Options(resemblance=0.1)


def grey(seed: int, deep: bool) -> dict[str, np.ndarray]:
    """Weights of a network for images of one channel: 32 filters of [1, 3, 3] first, then perhaps a layer per channel."""
    rng = np.random.default_rng(seed)
    layers = {
        "first": (32, 1, 3, 3),
        **({"deep": (32, 1, 3, 3)} if deep else {}),
        "second": (16, 32, 3, 3),
        "fc": (10, 16),
    }
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in layers.items()}


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_filters_of_a_grey_image_are_no_layer_per_channel(seed, deep):
    original, rng = grey(seed, deep), np.random.default_rng(seed + 100)
    one, two = rng.permutation(32), rng.permutation(16)
    copy = {name: each[one] for name, each in original.items() if name in ("first", "deep")}
    copy |= {"second": original["second"][two][:, one], "fc": original["fc"][:, two]}
    scale = rng.uniform(0.5, 2, size=(32, 1, 1, 1)).astype(np.float32)
    last = "deep" if deep else "first"
    copy[last] = copy[last] * scale
    copy["second"] = copy["second"] / scale.reshape(1, 32, 1, 1)
    names = list(original)
    networks = [network(name, {each: state[each] for each in names}) for name, state in (("a", original), ("b", copy))]
    stranger = network("c", grey(seed + 10, deep))
    places = [(place, place) for place in range(len(names))]
    assert Matcher(0.0).match(*networks, places).resemblance > 0.95
    assert abs(Matcher(0.0).match(networks[0], stranger, places).resemblance) < 0.2
