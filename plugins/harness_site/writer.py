"""Write the board as a web site: one folder of pages that work from a disk, without a network or installation.

`index.html` is the board: table, picture and curves. Every submission has a page below `submissions/`, named after a
hash of the name that the board has for it, so that a link stays what it is when ranks change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api import Board, ReportView, Writer, hookimpl
from harness.api.boards import used_symbols
from harness.api.web import mapped, page, report_page, templates
from harness_site.curves import overlays, switches
from harness_site.scatter import scatter
from harness_site.table import SiteTable, page_facts, people

if TYPE_CHECKING:
    from jinja2 import Environment

_PAGES = Path(__file__).parent / "pages"
_BOARD = "index.html"


class Html:
    """Static pages; `harness leaderboard` gives it every submission's report as well."""

    name = "html"

    def render(self, board: Board) -> dict[str, str]:
        return dict(self.render_site(board, {}))

    def render_site(self, board: Board, reports: Mapping[str, ReportView]) -> Iterator[tuple[str, str]]:
        names = [row.name for row in board.entries if row.name in reports]
        links = {name: page_path(name) for name in names}
        facts = {row.name: page_facts(row, board) for row in board.standings}
        yield _BOARD, board_page(board, reports, links)

        def rendered(name: str) -> str:
            return report_page(reports[name], board=f"../{_BOARD}", facts=facts.get(name, ()))

        yield from zip(links.values(), mapped(rendered, list(links)), strict=True)


def page_path(name: str) -> str:
    """Where the page of a row is: nothing of what the student wrote is in a file's name."""
    return f"submissions/{hashlib.sha256(name.encode()).hexdigest()[:16]}.html"


def board_page(board: Board, reports: Mapping[str, ReportView], links: Mapping[str, str]) -> str:
    """The page of the board.

    Args:
        links: path of the page of every row that has one, by its name.
    """
    return page(
        _templates(),
        "board.html",
        script=_script(),
        sheet=_PAGES / "board.css",
        rules=switches(),
        board=board,
        table=SiteTable.of(board),
        links=links,
        people=people,
        marks=used_symbols(board),
        scatter=scatter(board, _limit(board, reports), links),
        overlays=overlays(board, reports),
        instructor=any(each.audience == "instructor" for each in reports.values()),
    )


def _limit(board: Board, reports: Mapping[str, ReportView]) -> float | None:
    """The most that the picture's x may be, as any report has it."""
    if board.pareto is None:
        return None
    lines = (line for each in reports.values() for line in each.metrics if line.name == board.pareto.x)
    return next((line.limit for line in lines), None)


@cache
def _templates() -> Environment:
    return templates(_PAGES)


@cache
def _script() -> str:
    return (_PAGES / "board.js").read_text(encoding="utf-8")


@hookimpl
def harness_writers() -> Iterable[Writer]:
    return [Html()]
