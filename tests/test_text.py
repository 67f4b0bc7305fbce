"""Whatever a student writes, a terminal shows it as text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from result_fakes import count, metric

import harness.text
from harness.text import (
    clean,
    clean_lines,
    encoding_of,
    figure_text,
    interval_text,
    markdown_cell,
    metric_text,
    number_text,
    score_text,
    told_apart,
)


@given(st.text(st.characters(), max_size=60))
def test_nothing_invisible_survives(text: str) -> None:
    kept = clean(text)
    assert {unicodedata.category(each) for each in kept} & {"Cc", "Cs", "Zl", "Zp"} == set()
    assert set(kept) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u200e\u200f\ufeff") == set()
    assert clean(kept) == kept


@given(st.text(st.characters(), max_size=40))
def test_the_short_way_is_right(text: str) -> None:
    assert clean(text) == harness.text._cleaned(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x07", "link"),
        ("\x1b]0;title\x07name", "name"),
        ("\x9b2Jgone", "gone"),
        ("a\r\nb\tc", "a; b c"),
        ("moc.\u202elive", "moc.live"),
        ("王小明 👩‍🔬", "王小明 👩‍🔬"),
        ("[red]not markup[/red]", "[red]not markup[/red]"),
        ("\x1b", ""),
        ("\ud800", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_escape_sequences_leave_no_rest(text: str, expected: str) -> None:
    assert clean(text) == expected


def test_long_text_is_cut() -> None:
    assert clean("x" * 600) == "x" * 499 + "…"


def test_lines_keep_their_indentation_and_an_open_escape_takes_no_further_line() -> None:
    assert clean_lines("def f():\n    return\x1b[0m 1\n\n") == ["def f():", "    return 1"]
    assert clean_lines("\x1b]0;never closed\nstill here") == ["", "still here"]
    assert clean_lines("1\n2\n3", limit_lines=2) == ["…", "2", "3"]


def test_markdown_cells_hold_no_markup() -> None:
    assert markdown_cell("a|b") == "a\\|b"
    assert markdown_cell("<script>&") == "&lt;script&gt;&amp;"
    assert markdown_cell("[x](http://evil) *b* `c`") == "\\[x\\](http://evil) \\*b\\* \\`c\\`"


def test_numbers_for_people() -> None:
    assert metric_text(metric(0.9393)) == "93.93 %"
    assert interval_text(metric(0.9393, low=0.9344, high=0.9438)) == "93.44–94.38 %"
    assert metric_text(count(95386)) == "95,386"
    assert metric_text(count(387480, "bytes")) == "387,480 bytes"
    assert interval_text(count(95386)) == ""
    assert score_text(45.0, 45.0) == "45 / 45"
    assert score_text(0.0, 0.0) == "–"


@pytest.mark.parametrize(
    ("text", "codec", "expected"),
    [
        ("id,名次\n王小明,3\n", "cp950", "Big5"),
        ("作業.py", "cp950", "Big5"),
        ("功課,許功蓋", "big5", "Big5"),  # whose second bytes are backslashes
        ("id,pred\n1,2\n", "utf-16", "UTF-16"),
        ("id,pred\n1,2\n", "utf-16-le", "UTF-16"),
        ("Jérôme,Señorita,Müller", "latin-1", None),
        ("Jérôme,Señorita,Müller", "cp437", None),
        ("Zoë übte España", "cp1252", None),
        ("こんにちは、世界", "shift-jis", None),
        ("Привет, мир", "cp1251", None),
    ],
)
def test_the_encoding_that_a_text_seems_to_have(text: str, codec: str, expected: str | None) -> None:
    assert encoding_of(text.encode(codec)) == expected


def test_a_unit_is_said_once() -> None:
    size = count(387_480, "bytes")
    assert [figure_text(size, title) for title in ("stored bytes", "size")] == ["387,480", "387,480 bytes"]
    assert figure_text(metric(0.5), "accuracy") == "50.00 %"
    assert figure_text(None, "size") == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (95386, "95,386"),
        (1234567.0, "1,234,567"),
        (1.299123, "1.299"),
        (123456.7, "123,457"),
        (0.00012345, "0.0001234"),
    ],
)
def test_numbers_have_four_digits_at_least(value: float, text: str) -> None:
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("one", "other", "unit", "texts"),
    [
        (0.89996, 0.9, "fraction", ("89.996 %", "90.000 %")),
        (0.7394, 0.6, "fraction", ("73.94 %", "60.00 %")),
        (0.9, 0.9, "fraction", ("90.00 %", "90.00 %")),
        (1.29912, 1.29908, "times", ("1.29912", "1.29908")),
        (99_060, 60_000, "parameters", ("99,060", "60,000")),
    ],
)
def test_two_values_have_as_many_digits_as_tell_them_apart(
    one: float, other: float, unit: str, texts: tuple[str, str]
) -> None:
    assert told_apart(one, other, unit) == texts


def test_an_interval_below_zero_has_a_word_in_it() -> None:
    difference = metric(-0.01, low=-0.021, high=0.0035)
    assert interval_text(difference) == "-2.10 to 0.35 %"
