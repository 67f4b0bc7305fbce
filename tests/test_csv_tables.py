"""Tables come in as any spreadsheet writes them: no cell is lost, split or changed, whatever stands in it."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.csv_tables import read_lines
from harness.errors import TableError

# All that UTF-8 can hold but NUL, which no spreadsheet writes.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
HOSTILE = ("=cmd|' /C calc'!A0", '"quoted", "twice"', "two\r\nlines", "\ufeffname", "a\u2028b\x0bc\x85d", "@SUM(1+1)")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=6),
    delimiter=st.sampled_from(",;\t"),
    mark=st.booleans(),
)
@example(rows=[HOSTILE[:3], HOSTILE[3:]], delimiter=",", mark=True)
def test_every_cell_comes_back_as_it_was(
    tmp_path: Path, rows: list[tuple[str, str, str]], delimiter: str, mark: bool
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    writer.writerows([("id", "name", "email"), *rows])
    (tmp_path / "table.csv").write_bytes(text.getvalue().encode("utf-8-sig" if mark else "utf-8"))
    lines, found = read_lines(tmp_path / "table.csv")
    assert found == delimiter
    assert [tuple(cells) for _, cells in lines[1:]] == rows


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_its_mark_is_called_so_with_a_remedy(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "table.csv").write_bytes("id,name\n1,Zoë\n2,Ann\n".encode(encoding))
    with pytest.raises(TableError, match=r"UTF-16.*CSV UTF-8|save the spreadsheet as CSV"):
        read_lines(tmp_path / "table.csv")


@pytest.mark.parametrize(
    ("encoding", "text"), [("utf-16", "id\tname\n1\tZoë\n"), ("utf-8", "SEP=;\r\nid;name\n1;Zoë\n")]
)
def test_what_excel_saves_is_read_with_the_lines_it_has(tmp_path: Path, encoding: str, text: str) -> None:
    (tmp_path / "table.csv").write_bytes(text.encode(encoding))
    lines, _ = read_lines(tmp_path / "table.csv")
    assert [cells for _, cells in lines] == [["id", "name"], ["1", "Zoë"]]
    assert lines[-1][0] == text.count("\n")
