"""Gather an assignment for a system that checks hand-ins elsewhere: its file, and images that do not come with us."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.assignment.loading import Assignment
from harness.assignment.shipped import fixtures
from harness.contracts.publishing import AssignmentToExport
from harness.version import __version__


def to_export(assignment: Assignment) -> AssignmentToExport:
    """The assignment as plain files; what comes with the harness stays where it is there."""
    shipped = assignment.source.resolve().is_relative_to(fixtures())
    folders = {
        name: folder.resolve()
        for name, folder in assignment.data_paths.items()
        if not folder.resolve().is_relative_to(fixtures())
    }
    file = f"{assignment.id}.toml"
    return AssignmentToExport(
        id=assignment.id,
        name=assignment.id if shipped else file,
        private="test" in folders and assignment.rules.data["test"].public_fraction is not None,
        files=({} if shipped else {file: assignment.source}) | dict(_images(folders)),
        folders=folders,
        ranks=tuple(
            {"metric": key.metric, "order": "desc" if key.higher_is_better else "asc"}
            for key in assignment.rules.ranking
        ),
        harness_version=__version__,
    )


def _images(folders: dict[str, Path]) -> Iterator[tuple[str, Path]]:
    for name, folder in folders.items():
        for file in sorted(each for each in folder.rglob("*") if each.is_file()):
            yield f"data/{name}/{folder.name}/{file.relative_to(folder).as_posix()}", file
