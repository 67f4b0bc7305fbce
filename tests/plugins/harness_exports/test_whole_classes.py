"""Generated classes, from the platform's download to its sheet: everyone's own points in everyone's own line.

The downloads are named as the platforms' own code names them (written again here from Canvas's `lib/content_zipper.rb`,
Moodle's `mod/assign/locallib.php` and Gradescope's exports), and what was handed in says whose it is.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from harness_exports import lms as harness_lms_export
from hypothesis import given, settings
from hypothesis import strategies as st
from result_fakes import assignment, attempts, result

from harness.board.builder import standings
from harness.plugins import Plugins
from harness.submission.discovery import find
from harness.submission.entries import escape
from harness.submission.hand_in import HandIn
from harness.values.board import Board
from harness.values.results import PointLine

EXPORTERS = Plugins.of(harness_lms_export).exporters
NAMES = st.lists(
    st.sampled_from(
        [
            *("नेहा", "शर्मा", "สมชาย", "น้ำ", "王小明", "José", "Ångström", "O'Neil", "van der Berg", "Ömer", "علی‌رضا"),
            *("Nguyễn Thị", "Bảo-Ngọc", "محمد بن", "🦊 Fox", "佐藤", "김민준", "D’Arcy", "Jr.", "Зоя", "Lê 2"),
        ]
    ),
    min_size=2,
    max_size=2,
)
FILES = st.sampled_from(["hw.zip", "310551001_hw2.py", "model-1.py", "a_1_2_b.py", "my net.py", "résumé.py"])


@dataclass(frozen=True)
class Student:
    number: int
    first: str
    last: str
    group: bool
    late: bool
    file: str
    decomposed: bool

    @property
    def user(self) -> int:
        return 20_100 + 7 * self.number

    @property
    def sis(self) -> str:
        return f"{self.number:06}"

    @property
    def email(self) -> str:
        return f"S{self.number}@Example.edu"

    @property
    def sortable(self) -> str:
        return f"team_{self.number:02}" if self.group else f"{self.last}, {self.first}"

    @property
    def points(self) -> float:
        return round(0.25 * self.number, 2)


@st.composite
def classes(draw: st.DrawFn) -> list[Student]:
    count = draw(st.integers(2, 9))
    grouped = draw(st.booleans())
    flags = st.booleans()
    return [
        Student(number, *draw(NAMES), grouped and draw(flags), draw(flags), draw(FILES), draw(flags))
        for number in range(1, count + 1)
    ]


def as_ruby_keeps(text: str) -> str:
    """`[[:word:]]`: letters, marks, numbers, connectors; and joiners, which shape words."""
    kept = [each for each in text if unicodedata.category(each)[0] in "LMN" or unicodedata.category(each) == "Pc"]
    return "".join(kept)


def canvas_name(student: Student) -> str:
    name = re.sub(r"_(\d+)_", r"\1", student.sortable).lower()
    whole = "_".join([name, *(["LATE"] if student.late else []), str(student.user)])
    return f"{as_ruby_keeps(whole)}_{8_000_000 + student.number}_{student.file}"


def moodle_name(student: Student) -> str:
    return f"{student.first} {student.last}_{student.user}_assignsubmission_file/{student.file}"


def archive(path: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as target:
        for name, text in members.items():
            target.writestr(name, text)
    return path


def downloaded(path: Path, platform: str, students: list[Student]) -> Path:
    def written(student: Student, name: str) -> str:
        return unicodedata.normalize("NFD" if student.decomposed else "NFC", name)

    if platform == "canvas":
        members = {written(each, canvas_name(each)): str(each.points) for each in students}
        return archive(path, members | {"stray.py": "0"})
    if platform == "moodle":
        return archive(path, {written(each, moodle_name(each)): str(each.points) for each in students})
    entries = "".join(
        f"submission_{each.number}:\n  :submitters:\n  - :name: {each.number}\n    :sid: '{each.sis}'\n"
        f"    :email: {each.email}\n  :created_at: 2026-03-01 00:00:00 Z\n"
        for each in students
    )
    members = {f"submission_{each.number}/{each.file}": str(each.points) for each in students}
    return archive(path, {"submission_metadata.yml": entries, **members})


def graded(path: Path, hand_ins: tuple[HandIn, ...]) -> Board:
    """Points as the files say them, by nobody's name."""
    outcomes = []
    with zipfile.ZipFile(path) as content:
        for each in hand_ins:
            (part,) = each.parts or ()
            said = [name for name in content.namelist() if escape(name).startswith(part.source)]
            points = float(content.read(said[0]))
            line = PointLine(name="all", points=points, max_points=5, reason="as it says")
            outcomes.append(result(each.id, points=(line,), score=points, accounts=each.accounts, members=each.members))
    return standings(attempts(*outcomes), assignment())


CANVAS = {
    "en": ("Student", "ID", "SIS User ID", "SIS Login ID", "Section"),
    "de": ("Schüler", "Kennung", "SIS-Kennung", "Anmeldung", "Abschnitt"),
    "es": ("Estudiante", "Identificación", "ID de usuario SIS", "ID de inicio de sesión SIS", "Sección"),
    "zh": ("学生", "编号", "SIS 用户 ID", "SIS 登录 ID", "班级"),
    "ja": ("受講生", "識別子", "SISユーザーID", "SISログインID", "セクション"),
}
MOODLE = {
    "en": ("Identifier", "Full name", "Email address", "Status", "Grade", "Maximum Grade", "Grade can be changed"),
    "de": ("Kennung", "Name", "E-Mail", "Status", "Bewertung", "Bestwertung", "Bewertung kann geändert werden"),
    "es": (
        *("Identificador", "Nombre completo", "Dirección de correo", "Estatus", "Calificación", "Calificación máxima"),
        "La calificación puede ser cambiada",
    ),
    "zh": ("标识符", "姓名", "电子邮件地址", "状态", "成绩", "最高分", "成绩可以更改"),
    "ja": ("識別子", "姓名", "メールアドレス", "ステータス", "評点", "最大評点", "評点は変更可能です"),
}
PARTICIPANT = {"en": "Participant ", "de": "Teilnehmer/in", "es": "Participante ", "zh": "参与者", "ja": "参加者 "}
FILES_OF_SPREADSHEETS = st.sampled_from(
    [(",", "utf-8"), (",", "utf-8-sig"), (";", "utf-8-sig"), ("\t", "utf-16"), (";", "utf-8 with sep=")]
)


def saved(text: str, delimiter: str, encoding: str) -> bytes:
    """As a spreadsheet saves again what the platform wrote."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(csv.reader(io.StringIO(text)))
    name, _, line = encoding.partition(" with ")
    return f"{line + delimiter + chr(10) if line else ''}{out.getvalue()}".encode(name)


def gradebook(students: list[Student], *, split: bool, language: str) -> str:
    text = io.StringIO()
    out = csv.writer(text)
    names = ["LastName", "FirstName"] if split else ["Student"]
    student, *ids, section = CANVAS[language]
    width = len(names)
    out.writerow(
        [
            *(names if language == "en" else [*names[:-1], student]),
            *ids,
            section,
            "Other (11)",
            "Homework (12)",
            "Final Score",
        ]
    )
    out.writerow([*[""] * (width + 4), "", "Manual Posting", ""])
    out.writerow(["    Points Possible", *[""] * (width + 3), "10", "5", "(read only)"])
    for each in reversed(students):
        who = [each.last, each.first] if split else [each.sortable]
        out.writerow([*who, each.user, each.sis, each.email.lower(), "A and B", "7", "1.5", "90"])
    out.writerow([*["Student"] * width, "99", "", "test", "A", "", "4", ""])
    return text.getvalue()


def worksheet(students: list[Student], *, language: str) -> str:
    text = io.StringIO()
    out = csv.writer(text)
    out.writerow(MOODLE[language])
    word = PARTICIPANT[language]
    number = "5,00" if language in ("de", "es") else "5.00"
    for each in [*reversed(students), Student(90, "Nobody", "Here", False, False, "", False)]:
        out.writerow([f"{word}{each.user}", f"{each.first} {each.last}", each.email, "-", "1", number, "Yes"])
    return text.getvalue()


@pytest.mark.parametrize("platform", ["canvas", "moodle", "gradescope"])
@settings(max_examples=40, deadline=None)
@given(students=classes(), split=st.booleans(), language=st.sampled_from(list(CANVAS)), kept=FILES_OF_SPREADSHEETS)
def test_everyone_gets_their_own_points(
    tmp_path_factory: Any, platform: str, students: list[Student], split: bool, language: str, kept: tuple[str, str]
) -> None:
    folder = tmp_path_factory.mktemp("class")
    path = downloaded(folder / "submissions.zip", platform, students)
    found = find([path])
    strays = 1 if platform == "canvas" else 0
    assert (found.people, len(found.unmatched), found.left_out) == (len(students), strays, ())
    assert len(found.hand_ins) == len(students) + strays
    target = "moodle" if platform == "moodle" else "canvas"
    sheet = folder / "sheet.csv"
    text = (
        worksheet(students, language=language)
        if target == "moodle"
        else gradebook(students, split=split, language=language)
    )
    sheet.write_bytes(saved(text, *kept))
    board = graded(path, found.hand_ins)
    exporter: Any = EXPORTERS[target]
    matches = exporter.matches(board, sheet)
    assert (matches.matched, matches.unmatched) == (len(students), ("stray",) * strays)
    lines = list(csv.reader(io.StringIO(exporter.export(board, sheet)[f"{target}.csv"])))
    before = list(csv.reader(io.StringIO(text)))
    if target == "moodle":
        expected = {f"{each.user}": each.points for each in students} | {str(20_100 + 7 * 90): 1.0}
        assert {re.findall(r"\d+$", line[0])[0]: float(line[4]) for line in lines[1:]} == expected
        assert [line[:4] + line[5:] for line in lines] == [line[:4] + line[5:] for line in before]
        return
    at = before[0].index("Homework (12)")
    assert lines[0] == [*before[0][: at - 1], "Homework (12)"]
    assert lines[1:3] == [[*line[: at - 1], line[at]] for line in before[1:3]]
    user = at - 5
    assert {int(line[user]): float(line[-1]) for line in lines[3:]} == {each.user: each.points for each in students}
