"""Whose a submission is: by ids that spreadsheets changed, by addresses, by what the platform knows."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from harness.board.matching import RosterFile, fitted_roster
from harness.errors import TableError


def roster(tmp_path: Path, text: str, *, alike: bool = False) -> RosterFile:
    file = tmp_path / "roster.csv"
    file.write_text(text, encoding="utf-8")
    return RosterFile(file, alike)


CUT = "id,name\n7,Ann\n42.0,Bob\nr3,Carol\n"


def test_ids_that_a_spreadsheet_changed_are_offered_and_taken_when_asked(tmp_path: Path) -> None:
    theirs: dict[str, tuple[tuple[str, ...], ...]] = {"007": (), "0042": (), "r3": ()}
    found, (count, offer) = fitted_roster(roster(tmp_path, CUT), theirs)
    assert [each.id for each in found.missing(theirs)] == ["7", "42.0"]
    assert "1 handed in, 2 did not; 2 submissions of nobody in it" in count
    assert "'7' for '007'" in offer
    assert "--alike-ids" in offer
    found, (count,) = fitted_roster(roster(tmp_path, CUT, alike=True), theirs)
    assert found.missing(theirs) == ()
    assert found.groups["0042"] == "42.0"
    assert "0 submissions of nobody" in count


def test_a_roster_that_fits_nobody_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"fits nobody: it has '7'.*2 would fit .*--alike-ids"):
        fitted_roster(roster(tmp_path, CUT), {"007": (), "0042": ()})
    with pytest.raises(TableError, match=r"fits nobody.*the column id has to hold"):
        fitted_roster(roster(tmp_path, CUT), {"zoe": ()})


def test_what_two_would_be_is_offered_to_nobody(tmp_path: Path) -> None:
    _, said = fitted_roster(roster(tmp_path, "id\n7\nx\n"), {"07": (), "007": (), "x": ()})
    assert len(said) == 1


def test_accents_written_as_two_characters_are_the_same(tmp_path: Path) -> None:
    name = "José"
    found, _ = fitted_roster(roster(tmp_path, f"id\n{unicodedata.normalize('NFD', name)}\n"), {name: ()})
    assert found.missing([name]) == ()


def test_addresses_and_platforms_tell_whose_it_is_and_who_works_together(tmp_path: Path) -> None:
    text = "id,email\n1,Ann@x.edu\n2,bob@x.edu\n3,shared@x.edu\n4,shared@x.edu\n5,eve@x.edu\n"
    theirs = {"ann@x.edu": (), "submission_9": (("2", "bob@x.edu"), ("s5", "eve@X.edu")), "shared@x.edu": ()}
    found, _ = fitted_roster(roster(tmp_path, text), theirs)
    assert found.groups["ann@x.edu"] == "1"
    assert {each.id: each.team for each in found.people} == {"1": None, "2": "submission_9", "3": None, "4": None, "5": "submission_9"}  # fmt: skip
    assert [each.id for each in found.missing(theirs)] == ["3", "4"]
