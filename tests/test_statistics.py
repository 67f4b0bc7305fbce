"""McNemar, Holm and the Pareto front, against SciPy, statsmodels and the definition."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binomtest
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from harness.statistics import Point, disagreements, holm, mcnemar, pareto


@pytest.fixture(autouse=True, scope="module")
def nothing_to_collect() -> Iterator[None]:
    """Statsmodels collects garbage in every call, which takes long where torch is among what it looks through."""
    gc.freeze()
    yield
    gc.unfreeze()


counts = st.integers(0, 3000)
p_values = arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 1, allow_subnormal=False))


@given(st.lists(st.tuples(counts, counts), min_size=1, max_size=20))
@example([(10, 1065)])  # 1e-300, where SciPy's own binomial test gives 0
def test_mcnemar_is_the_exact_binomial_test(pairs: list[tuple[int, int]]) -> None:
    only_first, only_second = (np.array(each, dtype=np.int64) for each in zip(*pairs, strict=True))
    expected = [exact_p(b, c) for b, c in pairs]
    assert mcnemar(only_first, only_second) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def exact_p(b: int, c: int) -> float:
    """In whole numbers: the coins that fall at least as unevenly, both ways, of all 2^(b + c)."""
    n, few = b + c, min(b, c)
    ways, tail = 1, 1
    for k in range(1, few + 1):
        ways = ways * (n - k + 1) // k
        tail += ways
    return min(1.0, float(Fraction(2 * tail, 2**n)))


def test_the_whole_numbers_agree_with_scipy() -> None:
    for b, c in ((0, 0), (1, 0), (3, 9), (40, 60), (500, 500)):
        assert exact_p(b, c) == pytest.approx(binomtest(b, b + c, 0.5).pvalue if b + c else 1.0, rel=1e-12)


@given(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50)))
def test_mcnemar_is_statsmodels(cells: tuple[int, int, int, int]) -> None:
    both, b, c, neither = cells
    if b + c == 0:
        return
    expected = statsmodels_mcnemar([[both, b], [c, neither]], exact=True).pvalue
    assert mcnemar(np.array([b]), np.array([c]))[0] == pytest.approx(expected, rel=1e-12)


def test_mcnemar_by_hand() -> None:
    # 9 against 1: 2 * (1 + 10) / 2**10; and two that answer alike cannot be told apart.
    assert mcnemar(np.array([9, 1, 0, 5]), np.array([1, 9, 0, 5])) == pytest.approx([22 / 1024, 22 / 1024, 1, 1])


@given(p_values)
def test_holm_is_statsmodels(p: np.ndarray) -> None:
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], rel=1e-12)


def test_holm_by_hand() -> None:
    assert holm(np.array([0.04, 0.01, 0.03])) == pytest.approx([0.06, 0.03, 0.06])
    assert holm(np.array([])).size == 0


@given(st.integers(1, 70).flatmap(lambda n: st.lists(arrays(np.bool_, n), min_size=2, max_size=6)))
def test_disagreements_are_counted_bit_by_bit(rows: list[np.ndarray]) -> None:
    packed = [np.packbits(row).tobytes() for row in rows]
    only_first, only_second = disagreements(packed[0], packed[1:])
    assert only_first.tolist() == [int((rows[0] & ~row).sum()) for row in rows[1:]]
    assert only_second.tolist() == [int((~rows[0] & row).sum()) for row in rows[1:]]


@given(st.lists(st.builds(Point, st.integers(0, 5), st.integers(0, 5)), max_size=25))
def test_the_front_is_what_nothing_beats(points: list[Point]) -> None:
    def beaten(point: Point) -> bool:
        return any(each.x >= point.x and each.y >= point.y and each != point for each in points)

    assert pareto(points) == [not beaten(point) for point in points]
