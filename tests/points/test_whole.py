"""A score is said with the whole that it is a part of."""

from __future__ import annotations

from harness.assignment import loading
from harness.plugins import Plugins
from harness.points.whole import whole_text


def test_nycus_score_is_one_of_a_hundred() -> None:
    rules = loading.load("nycu-ds2023-hw2", Plugins.installed(), needs_data=False).rules
    assert whole_text(rules, 45) == "45 of 100 so far; 30 by rank, 25 by hand to come"
    assert whole_text(rules, 0, 45) == (
        "0 of 100 so far; 45 pending until a person decides, 30 by rank, 25 by hand to come"
    )
