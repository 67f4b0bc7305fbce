"""Hostile hand-ins: each must come to its own end, own up to nothing, and leave everyone else alone."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hostile_arena import ARENAS, Arena
from hostile_class import HONEST, HONEST_ACCURACY, Attack, attacks, chosen
from hostile_gaps import KNOWN_GAPS

FACED = [
    pytest.param(place, attack, id=f"{'-'.join(place)}-{attack.name}")
    for place in ARENAS
    for attack in Arena(*place).attacks()
]

pytestmark = pytest.mark.timeout(500)


def test_there_are_enough():
    assert len(attacks()) >= 110
    assert len(attacks()) / 4 <= len(chosen()) <= len(attacks()) / 3


@pytest.mark.parametrize(("arena", "attack"), FACED, indirect=["arena"])
def test_attack(attack: Attack, outcome: dict[str, Any], arena, request):
    gap = KNOWN_GAPS.get(arena.backend, {}).get(attack.name)
    if gap is not None:
        request.applymarker(pytest.mark.xfail(reason=gap, strict=True))
    result = outcome["results"][attack.assignment][attack.name]
    said = result["printed"] + (result["reason"] or "") + "".join(result["notes"])
    assert "BREACH" not in said
    assert outcome["secret"] not in said
    assert len(json.dumps(result)) < 200_000
    assert result["status"] in attack.statuses, result["reason"]
    if result["status"] == "graded":
        assert result["reason"] is None
        _judge(attack, result)
    elif attack.reason:
        assert re.search(attack.reason, result["reason"]), result["reason"]


def _judge(attack: Attack, result: dict[str, Any]) -> None:
    verdicts = {check["name"]: check["verdict"] for check in result["checks"]}
    for name, allowed in attack.checks:
        assert verdicts[name] in allowed
    if attack.says_so:
        # It was really carried out.
        assert "attacked" in result["printed"]
    accuracy = result["metrics"]["accuracy"]["value"]
    if attack.accuracy == "honest":
        assert accuracy == HONEST_ACCURACY
    elif attack.accuracy != "any":
        assert accuracy <= attack.accuracy


def test_honest_neighbours_are_unharmed(outcome):
    honest = [
        *(outcome["results"]["main"][name] for name in (*HONEST, "neighbour")),
        outcome["results"]["kd"]["kd_honest"],
    ]
    for result in honest:
        assert (result["status"], result["reason"]) == ("graded", None), result["submission"]
        assert result["metrics"]["accuracy"]["value"] == HONEST_ACCURACY
        assert {check["verdict"] for check in result["checks"]} == {"passed"}, result["checks"]


def test_everyone_is_graded_once(arena, outcome):
    expected = {each.name for each in arena.attacks() if each.assignment == "main"} | {*HONEST, "neighbour"}
    assert set(outcome["results"]["main"]) == expected


def test_the_level_is_what_it_says(arena, outcome):
    assert outcome["sandbox"] == arena.backend
    # Where namespaces are refused, the strongest that works is the level without them.
    assert outcome["auto"] == arena.backend


def test_nothing_outside_has_changed(outcome):
    assert outcome["changed"] == {}


def test_nobody_was_contacted(outcome):
    assert outcome["contacts"] == []


def test_nobody_survives(outcome):
    assert outcome["survivors"] == []


def test_the_grader_itself_ran_nothing_of_theirs(outcome):
    assert "BREACH" not in outcome["said"]


def test_nobody_outlives_a_killed_grader(arenas):
    """A whole class of one grader; `tests/sandbox/test_boxes.py` kills one behind every wall."""
    outcome = arenas[ARENAS[0]].run("kill")
    assert outcome["building"] == 2
    assert outcome["before"] >= 2  # there was somebody to survive
    assert outcome["survivors"] == []
