"""Who is left out of a board: people, teams, and the last of a team."""

from __future__ import annotations

from datetime import UTC, datetime

from result_fakes import attempts, result

from harness.board.absences import LeftOut
from harness.board.roster import Roster
from harness.values.board import Person
from harness.values.decisions import Ruling

TEAM = (Person(id="ann", name="Ann", team="t1"), Person(id="ben", name="Ben", team="t1"))
ROSTER = Roster((*TEAM, Person(id="cem", name="Cem")))


def left_out(*ids: str, roster: Roster = ROSTER) -> LeftOut:
    ruling = Ruling(at=datetime(2026, 1, 1, tzinfo=UTC), author="a", reason="r", kind="excused")
    return LeftOut(dict.fromkeys(ids, ruling), roster)


def kept(found: LeftOut) -> list[str]:
    return [each.result.submission for each in found.attempts(attempts(*map(result, ("ben", "cem", "dee"))))]


def test_one_of_a_team_leaves_the_teams_hand_in_to_the_others() -> None:
    assert kept(left_out("ben")) == ["ben", "cem", "dee"]
    assert [person.id for person in left_out("ben").rest().people] == ["ann", "cem"]
    assert [person.id for person in left_out("ben").excused()] == ["ben"]


def test_a_team_is_left_out_by_its_name_or_when_all_of_it_are() -> None:
    for ids in (("t1",), ("ann", "ben")):
        assert kept(left_out(*ids)) == ["cem", "dee"]
        assert [person.id for person in left_out(*ids).excused()] == ["ann", "ben"]


def test_without_a_roster_an_id_is_its_submission() -> None:
    assert kept(left_out("ben", "dee", roster=Roster(()))) == ["cem"]
    assert [person.id for person in left_out("dee").excused()] == ["dee"]
