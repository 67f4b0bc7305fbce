"""Downloads of Canvas, Moodle and Gradescope: the right files for the right people, the same every time."""

from __future__ import annotations

import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bulk_fakes import METADATA, SOURCE, WEIGHTS, download
from harness_formats import containers as harness_formats
from harness_formats import hw7_pickles as harness_hw7_pickles
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.errors import SubmissionError, UsageError
from harness.plugins import Plugins
from harness.submission.discovery import discover, find
from harness.submission.reading import HandIn, Submission, read_submission

FORMATS = Plugins.of(harness_formats, harness_hw7_pickles).weight_formats

CANVAS = {
    "doejane_1001_501_model.py": SOURCE,
    "doejane_1001_502_weights.pt": WEIGHTS,
    "王小明_LATE_1002_510_net-2.ipynb": b"{}",
    "王小明_LATE_1002_511_net-1.final.pth": WEIGHTS,
    "group7_1003_520_hw.zip": None,
    "group7_1003_521_report.pdf": b"%PDF",
    "obrienpat_1004_link.html": b"<html>",
}
MOODLE = {
    "Jane O'Doe_2001_assignsubmission_file/model.py": SOURCE,
    "Jane O'Doe_2001_assignsubmission_file/w/weights.pt": WEIGHTS,
    "Jane O'Doe_2001_assignsubmission_file/__MACOSX/._model.py": b"x",
    "王 小明_2002_assignsubmission_file/hw.zip": None,
    "Group A-Ann Example_2003_assignsubmission_file_model.py": SOURCE,
    "Ann Only Text_2004_assignsubmission_onlinetext/onlinetext.html": b"<p>",
    "Jane O'Doe_2001_assignsubmission_onlinetext/onlinetext.html": b"<p>",
}
GRADESCOPE = {
    "assignment_9_export/submission_metadata.yml": METADATA.encode(),
    "assignment_9_export/submission_31/model.py": SOURCE,
    "assignment_9_export/submission_31/weights.pt": WEIGHTS,
    "assignment_9_export/submission_32/hw/model.py": SOURCE,
    "assignment_9_export/submission_33/.DS_Store": b"x",
    "assignment_9_export/submission_33/net.py": SOURCE,
    "assignment_9_export/submission_34/net.py": SOURCE,
}


def everything(path: Path, scratch: Path) -> dict[str, Submission | str]:
    """Every submission by id, or why it is refused."""
    scratch.mkdir(exist_ok=True)
    found: dict[str, Submission | str] = {}
    for each in discover([path]):
        try:
            found[each.id] = read_submission(each, scratch, FORMATS)
        except SubmissionError as error:
            found[each.id] = error.reason
    return found


def names(submission: Any) -> set[str]:
    return {each.relative_to(submission.folder).as_posix() for each in submission.folder.rglob("*") if each.is_file()}


@pytest.mark.parametrize("packed", [False, True])
def test_canvas(tmp_path: Path, packed: bool) -> None:
    found = everything(download(tmp_path / "submissions", CANVAS, packed=packed), tmp_path / "scratch")
    assert list(found) == ["1001", "1002", "1003", "1004"]
    jane, wang, group, link = (found[each] for each in found)
    assert (names(jane), jane.members) == ({"model.py", "weights.pt"}, ("doejane",))
    assert names(wang) == {"net.ipynb", "net.final.pth"}
    assert wang.weights == Path("net.final.pth")
    assert wang.members == ("王小明",)
    assert wang.notes == (
        "handed in late, says the learning platform",
        "Canvas numbers what is handed in again: net-1.final.pth is read as net.final.pth",
        "Canvas numbers what is handed in again: net-2.ipynb is read as net.ipynb",
    )
    assert jane.notes == ()
    assert names(group) == {"model.py", "weights.pt"}
    assert names(link) == {"link.html"}


@pytest.mark.parametrize("packed", [False, True])
def test_moodle(tmp_path: Path, packed: bool) -> None:
    found = everything(download(tmp_path / "HW2", MOODLE, packed=packed), tmp_path / "scratch")
    assert list(found) == ["2001", "2002", "2003", "2004"]
    assert [each.members for each in found.values()] == [
        ("Jane O'Doe",), ("王 小明",), ("Group A-Ann Example",), ("Ann Only Text",)
    ]  # fmt: skip
    assert names(found["2001"]) == {"model.py", "w/weights.pt"}
    assert names(found["2002"]) == {"model.py", "weights.pt"}
    assert names(found["2003"]) == {"model.py"}
    assert names(found["2004"]) == {"onlinetext.html"}


@pytest.mark.parametrize("packed", [False, True])
def test_gradescope(tmp_path: Path, packed: bool) -> None:
    path = download(tmp_path / "export", GRADESCOPE, packed=packed)
    found = everything(path, tmp_path / "scratch")
    assert list(found) == ["1001", "eve@example.edu", "submission_32", "submission_34"]
    jane, eve, group, unknown = (found[each] for each in found)
    assert jane.members == ("Jane Doe",)
    assert jane.submitted_at == datetime(2026, 3, 1, 12, 34, 56, 789012, UTC)
    assert eve.submitted_at == datetime(2026, 3, 3, tzinfo=UTC)
    assert group.members == ("王小明", "Bob Example")
    assert names(group) == {"model.py"}
    assert names(eve) == {"net.py"}
    assert unknown.notes == ("submission_metadata.yml does not say who handed it in",)
    if not packed:
        assert list(everything(path / "assignment_9_export", tmp_path / "scratch")) == list(found)


@pytest.mark.parametrize("packed", [False, True])
def test_when_a_download_was_made_is_no_time_of_handing_in(tmp_path: Path, packed: bool) -> None:
    said = b"submitted_at = 2026-01-01T00:00:00Z\n"
    files = {
        "doejane_1001_501_model.py": SOURCE,
        "kimmin_1002_502_model.py": SOURCE,
        "kimmin_1002_503_submission.toml": said,
        "li_LATE_1003_504_model.py": SOURCE,
        "li_LATE_1003_505_submission.toml": said,
    }
    found = everything(download(tmp_path / "dl", files, packed=packed), tmp_path / "scratch")
    assert [(each.submitted_at, each.time_source, each.late_mark) for each in found.values()] == [
        (None, None, False),
        (datetime(2026, 1, 1, tzinfo=UTC), "submission.toml", False),
        (None, None, True),  # it is late, whatever its author writes
    ]
    silent = everything(download(tmp_path / "md", MOODLE, packed=packed), tmp_path / "scratch")
    assert {(each.submitted_at, each.late_mark) for each in silent.values()} == {(None, None)}


@pytest.mark.parametrize("files", [CANVAS, MOODLE, GRADESCOPE])
def test_the_same_download_twice_is_the_same(tmp_path: Path, files: dict[str, bytes | None]) -> None:
    folder = everything(download(tmp_path / "one/dl", files, packed=False), tmp_path / "scratch")
    packed = [everything(download(tmp_path / f"{each}/dl", files, packed=True), tmp_path / "scratch") for each in "ab"]
    digests = [
        {key: each if isinstance(each, str) else each.digest for key, each in found.items()}
        for found in (folder, *packed)
    ]
    assert digests[0] == digests[1] == digests[2]


def test_packed_again_with_a_folder_around(tmp_path: Path) -> None:
    path = download(tmp_path / "x", {f"HW 2/{name}": data for name, data in CANVAS.items()}, packed=True)
    assert [each.id for each in discover([path])] == ["1001", "1002", "1003", "1004"]
    assert isinstance(everything(path, tmp_path / "s")["1001"], Submission)


def test_one_person_s_download_is_a_download(tmp_path: Path) -> None:
    for number, (files, identity) in enumerate(
        ((list(CANVAS)[:2], "1001"), (list(MOODLE)[:2], "2001"), (list(MOODLE)[3:4], "2002"))
    ):
        chosen = {name: (CANVAS | MOODLE)[name] for name in files}
        for packed in (False, True):
            path = download(tmp_path / str(number) / "dl", chosen, packed=packed)
            assert [each.id for each in discover([path])] == [identity]


def canvas_parts(tmp_path: Path, **files: int) -> tuple[set[str], tuple[str, ...]]:
    folder = {f"doe_7_{number}_{name.replace('__', '-').replace('_dot_', '.')}": b"x" for name, number in files.items()}
    (found,) = discover([download(tmp_path / "dl", folder, packed=False)])
    return {part.name for part in found.parts or ()}, found.notes


def test_of_one_name_the_newest_counts(tmp_path: Path) -> None:
    parts, notes = canvas_parts(tmp_path, model_dot_py=10, model__1_dot_py=20, model__2_dot_py=30, w_dot_pt=11)
    assert parts == {"model.py", "w.pt"}
    assert notes == (
        "Canvas numbers what is handed in again: model-2.py is read as model.py",
        "model-1.py was left out: model-2.py is a newer file of that name",
        "model.py was left out: model-2.py is a newer file of that name",
    )


def test_a_number_of_the_author_s_own_stays(tmp_path: Path) -> None:
    assert canvas_parts(tmp_path / "a", part__1_dot_py=10, part__2_dot_py=20)[0] == {"part-1.py", "part-2.py"}
    assert canvas_parts(tmp_path / "b", part__1_dot_py=10, part_dot_py=20)[0] == {"part-1.py", "part.py"}


def test_submission_toml_keeps_a_name_that_looks_numbered(tmp_path: Path) -> None:
    files: dict[str, bytes | None] = {
        "doe_7_1_resnet-18.pth": WEIGHTS, "doe_7_2_other.pth": WEIGHTS, "doe_7_3_net.py": SOURCE,
        "doe_7_4_submission-1.toml": b'weights = "resnet-18.pth"\nmembers = ["Doe", "Ann"]\n',
    }  # fmt: skip
    found = everything(download(tmp_path / "dl", files, packed=False), tmp_path / "scratch")["7"]
    assert found.weights == Path("resnet-18.pth")
    assert found.members == ("doe", "Ann")


def test_anonymous_canvas(tmp_path: Path) -> None:
    files: dict[str, bytes | None] = {"anon_aB3xZ_77_m.py": SOURCE, "LATE_anon_00001_78_m.py": SOURCE}
    first, second = discover([download(tmp_path / "dl", files, packed=False)])
    assert (first.id, first.late, first.members) == ("00001", True, ())
    assert (second.id, second.late, second.parts[0].name) == ("aB3xZ", False, "m.py")


def test_names_with_underscores_and_digits(tmp_path: Path) -> None:
    files: dict[str, bytes | None] = {"o_brien2_LATE_1_2_a_3_4_b.py": SOURCE, "x_9_8_LATE_7_6_m.py": SOURCE}
    one, nine = discover([download(tmp_path / "dl", files, packed=False)])
    assert (one.id, one.late, one.members, one.parts[0].name) == ("1", True, ("o_brien2",), "a_3_4_b.py")
    assert (nine.id, nine.late, nine.parts[0].name) == ("9", False, "LATE_7_6_m.py")


def test_a_name_that_is_a_folder_s_own_is_none(tmp_path: Path) -> None:
    for files in (
        {"doe_1_2_..": SOURCE},
        {"Jane_1_assignsubmission_file_..": SOURCE, "J_2_assignsubmission_file_.": b""},
    ):
        found = everything(download(tmp_path / str(len(files)) / "dl", files, packed=True), tmp_path / "scratch")
        assert all(names(each) == {"file"} for each in found.values())


def test_noise_and_papers_beside_are_ignored(tmp_path: Path) -> None:
    extra = {".DS_Store": b"x", "__MACOSX/._doe": b"x", "desktop.ini": b"x", "gradebook.csv": b"x", ".git/config": b"x"}
    kinds = (CANVAS, MOODLE, {key.split("/", 1)[1]: data for key, data in GRADESCOPE.items()})
    for kind, files in enumerate(kinds):
        for packed in (False, True):
            path = download(tmp_path / str(kind) / str(packed) / "dl", files | extra, packed=packed)
            assert [each.id for each in discover([path])] == [
                each.id for each in discover([download(tmp_path / "plain" / str(kind) / "dl", files, packed=False)])
            ]


def test_work_that_is_not_of_the_download_is_graded_under_its_own_name(tmp_path: Path) -> None:
    path = download(tmp_path / "dl", CANVAS | {"unpacked/model.py": SOURCE}, packed=False)
    found = find([path])
    assert {each.id for each in found.hand_ins} == {"1001", "1002", "1003", "1004", "unpacked"}
    assert (found.people, found.files, found.unmatched) == (4, 8, ("unpacked",))
    assert [each.id for each in discover([path], mode="single")] == ["dl"]


def test_what_only_resembles_a_download_is_none(tmp_path: Path) -> None:
    folder = download(tmp_path / "alice", {"fold_1_2_a.py": SOURCE, "model.py": SOURCE, "w.pt": WEIGHTS}, packed=False)
    assert discover([folder]) == [HandIn("alice", folder)]
    top = download(tmp_path / "class", {f"alice/{name}": data for name, data in CANVAS.items()}, packed=False)
    assert [each.id for each in discover([top])] == ["alice"]
    zipped = download(tmp_path / "bob", CANVAS, packed=True)
    assert discover([zipped], mode="single") == [HandIn("bob", zipped)]
    (tmp_path / "torn.zip").write_bytes(zipped.read_bytes()[:-30])
    assert [each.id for each in discover([tmp_path / "torn.zip"])] == ["torn"]


def test_a_person_with_two_gradescope_submissions(tmp_path: Path) -> None:
    text = "".join(
        f"submission_{number}:\n  :submitters:\n  - :name: Jane\n    :sid: '5'\n  :created_at: 2026-03-0{day} 00:00:00 Z\n"
        for number, day in ((1, 2), (2, 1))
    )
    files = {"submission_metadata.yml": text.encode(), "submission_1/a.py": b"new", "submission_2/a.py": b"old"}
    (found,) = discover([download(tmp_path / "dl", files, packed=False)])
    assert (found.id, found.parts[0].source) == ("5", "submission_1")
    assert found.notes == ("an older submission of the same person was left out: submission_2",)


def test_two_people_with_one_student_number_keep_their_work(tmp_path: Path) -> None:
    text = "".join(
        f"submission_{number}:\n  :submitters:\n  - :name: {name}\n    :sid: '5'\n"
        for number, name in ((1, "Jane"), (2, "Joe"))
    )
    files = {"submission_metadata.yml": text.encode(), "submission_1/a.py": b"x", "submission_2/a.py": b"y"}
    found = {each.id: each for each in discover([download(tmp_path / "dl", files, packed=False)])}
    assert {name: each.members for name, each in found.items()} == {"5": ("Jane",), "submission_2": ("Joe",)}
    assert "gives Jane the same id, 5" in found["submission_2"].notes[0]


def test_a_time_of_ruby_on_rails_is_a_time(tmp_path: Path) -> None:
    text = "submission_1:\n  :created_at: !ruby/object:ActiveSupport::TimeWithZone\n    utc: 2026-01-31 15:59:30.5 Z\n"
    files = {"submission_metadata.yml": text.encode(), "submission_1/a.py": SOURCE}
    (found,) = discover([download(tmp_path / "dl", files, packed=False)])
    assert found.submitted_at == datetime(2026, 1, 31, 15, 59, 30, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["- a\n", "a: [", "\x00", "a: &x [*x", "x: 2026-13-45 99:99:99 Z", "[" * 3000, "7", "- " * 10**6, "{a: " * 10**5],
)
def test_bad_metadata_is_refused_by_name(tmp_path: Path, text: str) -> None:
    files = {"submission_metadata.yml": text.encode(), "submission_1/a.py": SOURCE}
    for packed in (False, True):
        with pytest.raises(UsageError, match=r"submission_metadata\.yml"):
            discover([download(tmp_path / "dl", files, packed=packed)])


def test_metadata_constructs_nothing(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    text = f"submission_1: !!python/object/apply:os.mkdir ['{canary}']\nsubmission_2: !ruby/object:Gem {{x: 1}}\n"
    files = {"submission_metadata.yml": text.encode(), "submission_1/a.py": SOURCE}
    assert [each.id for each in discover([download(tmp_path / "dl", files, packed=False)])] == [
        "submission_1", "submission_2"
    ]  # fmt: skip
    assert not canary.exists()


def test_only_a_path_that_is_given_alone_is_a_download(tmp_path: Path) -> None:
    """A shell writes `class/*` as many paths, and a student's zip among them may look like a download."""
    one = download(tmp_path / "alice", CANVAS, packed=True)
    two = download(tmp_path / "bob", GRADESCOPE, packed=True)
    assert discover([one, two]) == [HandIn("alice", one), HandIn("bob", two)]
    assert len(discover([one])) == 4


MARK = "_assignsubmission_file_"


@pytest.mark.parametrize("packed", [False, True])
def test_a_name_that_speaks_for_two_people_is_given_to_nobody(tmp_path: Path, packed: bool) -> None:
    files = {
        f"Ann_111{MARK}Bob_222{MARK}model.py": SOURCE,
        f"Ann_111{MARK}Eve_333{MARK}model.py": SOURCE,
        f"Ann_111{MARK}model.py": SOURCE,
        f"Bob_222{MARK}model.py": SOURCE,
        f"Bob_222{MARK}weights.pt": WEIGHTS,
    }
    found = find([download(tmp_path / "dl", files, packed=packed)])
    assert {each.id: len(each.parts or ()) for each in found.hand_ins} == {"111": 1, "222": 2}
    assert [re.findall(r"speaks for (.*), so", each) for each in found.left_out] == [
        ["111 and for 222"],
        ["111 and for 333"],
    ]


def test_planted_metadata_hides_no_class(tmp_path: Path) -> None:
    planted = {"submission_metadata.yml": b"submission_1:\n  :submitters:\n  - :sid: '7'\n"}
    for extra in ({}, {"submission_1/a.py": SOURCE}, {"submission_2/a.py": SOURCE}):
        files = planted | extra | {f"{name}/a.py": SOURCE for name in ("alice", "bob", "carol")}
        path = download(tmp_path / str(len(extra)) / "-".join(extra) / "drop", files, packed=False)
        assert {"alice", "bob", "carol"} <= {each.id for each in discover([path])}
    many = {f"submission_{number}/a.py": SOURCE for number in range(9)}
    mixed = find([download(tmp_path / "mixed", planted | many | {"alice/a.py": SOURCE}, packed=False)])
    assert (mixed.unmatched, "alice" in {each.id for each in mixed.hand_ins}) == (("alice",), True)


NAME = st.text(alphabet=st.sampled_from("ab_-. /\\0129王\x1b~'é"), max_size=12)
PIECES = st.sampled_from(["_", "LATE", "anon", "12", "assignsubmission", "file", "submission", "-1", ".", ".py", "/"])
ITEM = st.lists(NAME | PIECES, min_size=1, max_size=9).map("".join)
YAML = st.sampled_from(
    ["submission_1:", "\n", "  ", ":submitters:", "- ", ":sid: ", "1", "'", "[", "&a ", "*a", "!x ", "? "]
)


@settings(max_examples=150)
@given(items=st.lists(ITEM, min_size=1, max_size=5), yaml=st.none() | st.lists(YAML, max_size=12).map("".join))
@example(items=["_1_2_a", "_1_2_a/b", "x_1_2_.."], yaml=None)
def test_any_names_are_read_or_refused(tmp_path_factory: Any, items: list[str], yaml: str | None) -> None:
    top = tmp_path_factory.mktemp("fuzz")
    files = dict.fromkeys(items, SOURCE) | ({} if yaml is None else {"submission_metadata.yml": yaml.encode()})
    path = top / "dl.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name or "x", data)
    try:
        found = everything(path, top / "scratch")
    except UsageError:
        return
    assert all(key.isprintable() for key in found)
    again = everything(path, top / "scratch")
    assert found.keys() == again.keys()
    assert all(names(each) for each in found.values() if isinstance(each, Submission))
