"""Write the reports of a whole class: a file for each, an index, and a table for a mail merge."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from harness.report.markdown import markdown
from harness.text import csv_cell, markdown_cell, whole_text
from harness.values.board import Entry
from harness.values.report import ReportView
from harness.web.pages import page, templates
from harness.web.reports import report_page

FolderFormat = Literal["html", "markdown"]
_UNSAFE = re.compile(r"[^\w.-]+")
_NAME_CHARACTERS = 60
_COLUMNS = ("name", "email", "file", "submission", "score")


@dataclass(frozen=True, slots=True)
class ClassMember:
    """A row of the board with its report."""

    entry: Entry
    view: ReportView
    file: str
    score: str

    @classmethod
    def of(cls, entry: Entry, view: ReportView, suffix: str) -> ClassMember:
        submission = entry.submission or entry.name
        file = f"{file_stem(submission)}{suffix}"
        return cls(entry, view, file, whole_text(view.score, view.possible, view.pending))


def file_stem(submission: str) -> str:
    """A file's name for an id: the id itself where every system takes it, else a part of it and a digest."""
    safe = _UNSAFE.sub("_", submission)[:_NAME_CHARACTERS].strip(".")
    # Some systems take "A" and "a" for one file.
    if safe == submission == submission.lower() and safe not in {"index", "reports"}:
        return safe
    return f"{safe}-{hashlib.sha256(submission.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


def report_files(
    rows: list[tuple[Entry, ReportView]], format_name: FolderFormat, title: str
) -> Iterator[tuple[str, str]]:
    """(path, text) of a report for each row, of the index, and of `reports.csv`."""
    suffix = ".html" if format_name == "html" else ".md"
    members = [ClassMember.of(entry, view, suffix) for entry, view in rows]
    for each in members:
        yield each.file, _report(each.view, format_name)
    yield f"index{suffix}", _index(members, format_name, title)
    yield "reports.csv", _merge_table(members)


def _report(view: ReportView, format_name: FolderFormat) -> str:
    match format_name:
        case "html":
            return report_page(view)
        case "markdown":
            return markdown(view)


def _index(members: list[ClassMember], format_name: FolderFormat, title: str) -> str:
    match format_name:
        case "html":
            return page(templates(), "reports.html", members=members, title=title)
        case "markdown":
            lines = [
                f"- [{markdown_cell(each.entry.submission or each.entry.name)}]({each.file}): {each.score}"
                for each in members
            ]
            return f"# {markdown_cell(title)}: reports\n\n" + "\n".join(lines) + "\n"


def _merge_table(members: list[ClassMember]) -> str:
    """A line for each person, or for each submission of someone the roster does not have."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for each in members:
        submission = each.entry.submission or each.entry.name
        people = [(person.name, person.email) for person in each.entry.people] or [(submission, None)]
        for name, email in people:
            writer.writerow([csv_cell(cell) for cell in (name, email, each.file, submission, each.score)])
    return text.getvalue()
