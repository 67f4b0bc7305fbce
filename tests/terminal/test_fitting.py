"""A board in a terminal: rank and name whole at every width, and what has no room is named, never cut."""

from __future__ import annotations

import pytest
from result_fakes import assignment, attempts, count, metric, result
from rich.console import Console

from harness.board.builder import standings
from harness.terminal.console import board_table
from harness.terminal.fitting import FittingTable, TurningTable
from harness.text import metric_text

NAMES = ("Rabbit", "王小明的團隊", "a-name-of-thirty-four-characters-xx")


def shown(table: object, columns: int) -> list[str]:
    console = Console(width=columns, highlight=False, color_system=None)
    with console.capture() as captured:
        console.print(table)
    return captured.get().splitlines()


def large(name: str, place: int) -> object:
    accuracy = metric(0.9512 - place / 100, low=0.94 - place / 100, high=0.96 - place / 100)
    metrics = {"accuracy": accuracy, "parameters": count(95_386 + place), "stored_bytes": count(387_480_000, "bytes")}
    return result(name, metrics=metrics)


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_rank_name_accuracy_and_whole_numbers_stay(columns: int) -> None:
    board = standings(attempts(*(large(name, place) for place, name in enumerate(NAMES))), assignment())  # type: ignore[arg-type]
    lines = shown(board_table(board), columns)
    assert max(map(len, lines)) <= columns
    for row in board.standings:
        line = next(each for each in lines if each.startswith(f"{row.rank} "))
        assert metric_text(row.metrics["accuracy"]) in line
        assert row.name[:20] in line
    text = "\n".join(lines)
    # A column is there with all of its numbers, or is named as left out.
    for title, numbers in {"parameters": ("95,386", "95,388"), "stored bytes": ("387,480,000",)}.items():
        left_out = any(each.startswith("no room for:") and title in each for each in lines)
        assert left_out != all(each in text for each in numbers)


def test_columns_are_left_out_from_the_last_on_until_the_table_fits() -> None:
    """Widths by hand: 1, 6, 5 and 9 characters and two spaces behind each but perhaps the last: 27 or 29."""
    table = FittingTable(("#", "name", "score", "attempts!"), [("1", "Rabbit", "45.25", "123456789")], kept=2)
    assert [each.split() for each in shown(table, 29)] == [
        ["#", "name", "score", "attempts!"],
        ["1", "Rabbit", "45.25", "123456789"],
    ]
    narrower = shown(table, 24)
    assert [each.split() for each in narrower[:2]] == [["#", "name", "score"], ["1", "Rabbit", "45.25"]]
    assert narrower[2] == "no room for: attempts!"


def test_what_is_kept_stays_however_narrow_it_is() -> None:
    table = FittingTable(("#", "name", "score"), [("1", "Rabbit", "45.25")], kept=3)
    assert "45.25" in "\n".join(shown(table, 20))


def test_a_table_without_room_becomes_lines_and_loses_nothing() -> None:
    headers = ("method", "multiply-accumulates", "difference", "about")
    rows = [("large network", "30,442,880", "-23.33 % (-26.72 to -19.95 %)", "one sentence that is longer than others")]
    table = TurningTable(headers, rows, prose=True)
    wide, narrow = shown(table, 120), shown(table, 40)
    assert wide[0].split() == list(headers)
    assert len(wide) == 2
    assert narrow[0].strip() == rows[0][0]
    assert max(map(len, narrow)) <= 40
    told = " ".join(" ".join(narrow).split())
    assert all(f"{header} " in told for header in headers[1:])
    assert all(cell in told for cell in rows[0][:3])
