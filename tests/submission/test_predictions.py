"""Tables of predictions: every spelling courses use, and every mistake with its line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from student_fakes import examples

from harness.api import Examples
from harness.errors import SubmissionError
from harness.submission.predictions import is_predictions, names_tell_classes, read_predictions

FOUR = examples([2, 0, 1, 2], classes=3)
WANTED = (2, 0, 1, 1)


def named(*names: str, labels: tuple[int, ...] = (2, 0, 1, 2)) -> Examples:
    return replace(FOUR, names=names, labels=np.array(labels))


def read(tmp_path: Path, content: str | bytes, images: Examples = FOUR) -> tuple[int, ...]:
    path = tmp_path / "pred.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_predictions(path, "pred.csv", images)


@pytest.mark.parametrize(
    "content",
    [
        "id,pred\n0,2\n1,0\n2,1\n3,1\n",
        "id,pred\r\n0,2\r\n1,0\r\n2,1\r\n3,1",
        "Id,Category\n0000,2\n0001,0\n0002,1\n0003,1\n",
        "\ufeffId,label\r\n0,2\r\n1,0\r\n2,1\r\n3,1\r\n",
        '"id","pred"\n"0","2"\n"1","0"\n"2","1"\n"3","1"\n',
        "\n\nID , Prediction\n\n3,1\n 2 , 1 \n\n1,0\n0,2\n,\n\n",
        "id;pred\n0;2\n1;0\n2;1\n3;1\n",
        "id\tlabel\n0\t2\n1\t0\n2\t1\n3\t1\n",
        "id,pred\n0,2.0\n1,0.0\n2,1.\n3,+1\n",
        "id,pred\r0,2\r1,0\r2,1\r3,1\r",
    ],
)
def test_every_spelling_is_read(tmp_path: Path, content: str) -> None:
    assert read(tmp_path, content) == WANTED
    assert is_predictions(tmp_path / "pred.csv")


@pytest.mark.parametrize(
    "content", ["", "\n", "epoch,loss\n1,2\n", "id,pred,x\n", "import csv\n", "\x80\x04\x95", "id\n"]
)
def test_other_tables_are_no_predictions(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.csv").write_text(content, encoding="latin-1")
    assert not is_predictions(tmp_path / "x.csv")


def test_ids_are_file_names_where_files_have_names(tmp_path: Path) -> None:
    images = named("test/cat.jpg", "test/dog.jpg", "test/eel.v2.jpg", "test/fox.jpg")
    assert read(tmp_path, "id,pred\ncat,2\ndog.jpg,0\neel.v2,1\nfox,1\n", images) == WANTED
    assert read(tmp_path, "id,pred\n0,2\n1,0\n2,1\n3,1\n", images) == WANTED
    numbered = named("0007.jpg", "0003.jpg", "0100.jpg", "0001.jpg")
    for ids in (("7", "3", "100", "1"), ("0007", "0003", "0100", "0001"), ("0007.jpg", "3", "100", "01")):
        lines = [f"{name},{value}" for name, value in zip(ids, WANTED, strict=True)]
        assert read(tmp_path, "\n".join(["Id,Category", *lines]), numbered) == WANTED


def test_places_are_no_ids_where_they_would_tell_the_class(tmp_path: Path) -> None:
    images = named("a/x.jpg", "a/y.jpg", "b/z.jpg", "b/w.jpg", labels=(0, 0, 1, 1))
    with pytest.raises(SubmissionError, match="no image with the id '0'"):
        read(tmp_path, "id,pred\n0,2\n1,0\n2,1\n3,1\n", images)
    # Nor is the folder, which is the class, part of an id.
    with pytest.raises(SubmissionError, match="no image with the id 'a/x'"):
        read(tmp_path, "id,pred\na/x,0\ny,0\nz,1\nw,1\n", images)
    assert read(tmp_path, "id,pred\nx,0\ny,0\nz,1\nw,1\n", images) == (0, 0, 1, 1)


def test_names_that_tell_the_class_are_found() -> None:
    assert names_tell_classes(named("2_5.jpg", "0_1.jpg", "1_9.jpg", "2_7.jpg"))
    assert not names_tell_classes(named("2_5.jpg", "0_1.jpg", "1_9.jpg", "1_7.jpg"))
    assert not names_tell_classes(FOUR)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("id,pred\n0,2\n1,0\n2,1\n", "1 mistake\n  at the end: 3 rows for 4 images; 1 id is missing: 3"),
        ("id,pred\n0,2\n\n1,0\n1,1\n2,1\n3,1\n", "line 5: id 1 was there already, in line 4"),
        ("id,pred\n0,2\n1,0\n2,1\n3,1\n4,1\n", "line 6: there is no image with the id '4'"),
        ("id,pred\n0,2\n1,3\n2,1\n3,1\n", "line 3: class 3 is not one of 0 … 2"),
        ("id,pred\n0,-1\n1,0\n2,1\n3,1\n", "line 2: class -1 is not one of 0 … 2"),
        ("id,pred\n0,cat\n1,0\n2,1\n3,1\n", "line 2: the class is 'cat', not a whole number"),
        ("id,pred\n0,1.5\n1,0\n2,1\n3,1\n", "line 2: the class is '1.5', not a whole number"),
        ("id,pred\n0,2\n1\n2,1\n3,1\n", "line 3: 1 columns instead of 2"),
        ("0,2\n1,0\n2,1\n3,1\n", "line 1: a header such as id,pred should stand here, not '0,2'"),
        ("id,pred\n", "at the end: 0 rows for 4 images; 4 ids are missing: 0, 1, 2, 3"),
        ("\n", "is empty"),
        (b"id,pred\n0,\xff\n", "not UTF-8"),
        ("id,pred\n0," + "9" * 200_000 + "\n", "line 2"),
    ],
)
def test_every_mistake_names_its_line(tmp_path: Path, content: str | bytes, words: str) -> None:
    with pytest.raises(SubmissionError) as raised:
        read(tmp_path, content)
    assert raised.value.status == "rejected"
    assert words in raised.value.reason


@pytest.mark.parametrize(
    ("header", "hint"), [(",id,pred", "index=False"), ("pred,id", "wrong way round"), ("a,b", "header such as")]
)
def test_a_wrong_header_is_explained(tmp_path: Path, header: str, hint: str) -> None:
    with pytest.raises(SubmissionError) as raised:
        read(tmp_path, f"{header}\n0,0,2\n")
    assert hint in str(raised.value.hint)


def test_many_mistakes_are_counted_and_the_first_shown(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError) as raised:
        read(tmp_path, "id,pred\n" + "".join(f"{number},7\n" for number in range(100)))
    assert raised.value.reason.startswith("pred.csv: 100 mistakes\n  line 2: class 7")
    assert len(raised.value.reason.splitlines()) < 10


CELL = st.sampled_from(
    ["0", "1", "2", "3", "0003", "id", "pred", '"', "'", "-1", "1.0", "x", "\ufeff", "\0", "é", "9" * 30, "٣", "²"]
)
LINE = st.lists(CELL, max_size=4).flatmap(
    lambda cells: st.sampled_from([",", ";", "\t", ""]).map(lambda by: by.join(cells))
)


@settings(max_examples=200)
@given(
    lines=st.lists(LINE, max_size=8),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    head=st.sampled_from(["", "id,pred\n", "Id,Category\r\n", '"id",pred\n']),
    tail=st.binary(max_size=6),
)
def test_any_table_is_read_or_refused(tmp_path: Path, lines: list[str], end: str, head: str, tail: bytes) -> None:
    content = (head + end.join(lines)).encode() + tail
    (tmp_path / "pred.csv").write_bytes(content)
    is_predictions(tmp_path / "pred.csv")
    try:
        found = read(tmp_path, content)
    except SubmissionError:
        return
    assert len(found) == 4
    assert all(0 <= each < 3 for each in found)
