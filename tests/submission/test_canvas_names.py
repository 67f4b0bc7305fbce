"""Names of Canvas's downloads: whose they are where numbers alone do not tell."""

from __future__ import annotations

import time

import pytest

from harness.submission.canvas_names import canvas_names


@pytest.mark.parametrize(
    ("names", "users"),
    [
        (["team_07_201_9001_hw.zip"], ["201"]),  # ids have no leading zeros
        (["team_7_201_9001_hw.zip"], ["201"]),
        ([f"group_{each}_{5200 + each}_{91000 + each}_3_hw.zip" for each in range(1, 15)], [str(5200 + each) for each in range(1, 15)]),
        (["team_7_LATE_201_9001_hw.zip"], ["201"]),
        (["alpha_117_20131_900144_hw.zip", "doejane_20132_900145_hw.zip"], ["20131", "20132"]),
        (["wang_1001_501_310551001_hw2.py"], ["1001"]),  # the file begins with a student's number
        (["wang_1001_501_310551001_hw2.py", "li_1002_502_hw.py"], ["1001", "1002"]),
        # Two people of one name, whose files begin with their numbers, in a class where all do.
        (["kim_1001_501_31001_a.py", "kim_1002_502_31002_a.py", "li_1003_503_31003_a.py"], ["1001", "1002", "1003"]),
        (["o'neil_1001_501_m.py", "🦊 fox_1002_502_m.py", "lee, ann-b_LATE_1003_503_m.py", "li_1004_504_m.py"], ["1001", "1002", "1003", "1004"]),
        (["नेहाशर्मा_1001_501_m.py", "สมชายใจดี_LATE_1002_502_m.py", "ö_1003_503_m.py"], ["1001", "1002", "1003"]),
    ],
)  # fmt: skip
def test_the_id_is_canvas_s(names: list[str], users: list[str]) -> None:
    found = canvas_names(names)
    assert [found[name].user for name in names] == users


def test_a_long_name_costs_no_time() -> None:
    started = time.process_time()
    canvas_names(["_1" * 30_000, "_" * 60_000, "1_" * 30_000 + "a"])
    assert time.process_time() - started < 1


def test_what_only_resembles_them_is_nobodys() -> None:
    files = ["my model.v_1001_501.py", "net-2_12_501_m.py", "a b_1001_502_m.py"]
    assert canvas_names(files) == {}
    assert set(canvas_names(["li_1004_504_m.py", *files])) == {"li_1004_504_m.py", "a b_1001_502_m.py"}
