"""Define what turns a board into files: writers, site writers, exporters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from harness.values.board import Board
    from harness.values.report import ReportView


class Writer(Protocol):
    """A format of the leaderboard."""

    name: str

    def render(self, board: Board) -> dict[str, str]:
        """File name -> text. A single file goes to the terminal unless `--out` is given."""


@runtime_checkable
class SiteWriter(Protocol):
    """A writer that also wants the report of every submission, as whoever reads the board may see it."""

    def render_site(self, board: Board, reports: Mapping[str, ReportView]) -> Iterable[tuple[str, str]]:
        """(path below the site's folder, text) of every file; made one by one, for a class's may not fit into memory.

        Args:
            reports: by the `name` of the board's rows, ranked and not; each is about the attempt on the board.
        """


@dataclass(frozen=True, slots=True)
class Matches:
    """How many of those on a board another system knows.

    Attributes:
        matched: how many have a line of their own there.
        unmatched: what those are called that have none.
    """

    matched: int
    unmatched: tuple[str, ...] = ()


@runtime_checkable
class Matching(Protocol):
    """An exporter that looks people up in another system's file."""

    def matches(self, board: Board, template: Path | None) -> Matches:
        """Who of the board is there; the same as `export` fills in.

        Raises:
            UsageError: as `export` does.
        """


@dataclass(frozen=True, slots=True)
class AssignmentToExport:
    """An assignment as another system needs it to run `harness check`.

    Attributes:
        file: the assignment's own, among `files`.
        files: path -> a file: what `harness handout` gives to students, so nothing private.
        ranks: `metric` and `order` (asc, desc) of each ranking key.
        points: names of the rubric's lines that public images decide, or none at all.
        evidence: names of checks that are for the instructor.
        shows: when students see what was found; Gradescope's words for it.
        titles: what people call each metric.
        limit_seconds: how long the other system lets a check run.
        memory_bytes: what one submission may use.
    """

    id: str
    file: str
    files: Mapping[str, Path]
    ranks: tuple[Mapping[str, str], ...]
    points: tuple[str, ...]
    evidence: tuple[str, ...]
    shows: str
    titles: Mapping[str, str]
    limit_seconds: float
    memory_bytes: int
    harness_version: str


@runtime_checkable
class Packs(Protocol):
    """An exporter of the assignment itself, before anything was graded; its `export` is not called."""

    def pack(self, assignment: AssignmentToExport, wheel: Path | None) -> tuple[str, Mapping[str, bytes | Path]]:
        """(name of the zip, what is in it by path).

        Args:
            wheel: of the harness, to be installed there; None: from the package index.

        Raises:
            UsageError: it cannot be exported.
        """


class Exporter(Protocol):
    """Points in a form that another system imports."""

    name: str

    def export(self, board: Board, template: Path | None) -> dict[str, str]:
        """File name -> text.

        Args:
            board: the instructor's, with names and every point.
            template: the other system's own file, for those that want it filled in.

        Raises:
            UsageError: a template is missing, or is none.
        """
