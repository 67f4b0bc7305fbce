"""The JSON of a curve: pairs, and beside them only what is known."""

from __future__ import annotations

import pytest

from harness.api import Curve, Series


def test_a_plain_series_has_a_label_and_points_only():
    line = Series(label="global L1", points=((95386, 0.9393),))
    assert line.model_dump(mode="json") == {"label": "global L1", "points": [[95386, 0.9393]]}


def test_what_is_known_of_the_points_stands_beside_them_and_comes_back():
    line = Series(label="L1", points=((10, 0.5), (5, 0.25)), low=(0.4, 0.2), high=(0.6, 0.3), sparsity=(0, 0.5))
    curve = Curve(name="pruning", x="parameters", y="accuracy", series=(line, Series(label="empty", points=())))
    document = curve.model_dump(mode="json")
    assert document["series"] == [
        {"label": "L1", "points": [[10, 0.5], [5, 0.25]], "low": [0.4, 0.2], "high": [0.6, 0.3], "sparsity": [0, 0.5]},
        {"label": "empty", "points": []},
    ]
    assert Curve.model_validate(document) == curve
    assert Curve.model_validate_json(curve.model_dump_json()) == curve


def test_what_is_not_parallel_is_refused():
    with pytest.raises(ValueError, match="sparsity has 1 entries for 2 points"):
        Series(label="L1", points=((10, 0.5), (5, 0.25)), sparsity=(0.5,))
