"""Define what turns a board into files: writers, site writers, exporters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
