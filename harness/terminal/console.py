"""Print safely: consoles, students' text, and the table of a board.

Text of students is cleaned by `harness.text` and enters only as `rich.text.Text`, never as markup.
"""

from __future__ import annotations

import os
import sys

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.terminal.fitting import FittingTable
from harness.terminal.large_table import Cell, LargeTable
from harness.text import clean, figure_text, interval_text, metric_text, score_text, to_come_text
from harness.values.board import Baseline, Board, Standing, symbols, used_symbols
from harness.values.moments import moment_text

_PIPE_COLUMNS = 120
# On the board; `harness report` has the whole of it.
_REASON_CHARACTERS = 160
# Rank, name, signs, what is ranked by first.
_ALWAYS_SHOWN = 4
# More rows than these are not folded and coloured.
_LARGE_ROWS = 300


def console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """A console that adds no colours of its own guessing; wide when nobody is looking; a quiet one prints nothing."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _PIPE_COLUMNS
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=width, quiet=quiet)


def safe(text: str, style: str = "", *, limit_characters: int = 500) -> Text:
    """Anyone's text, as it may be shown."""
    return Text(clean(text, limit_characters), style=style)


def board_table(board: Board) -> RenderableType:
    """The ranking, and below it who has no rank and why."""
    parts: list[RenderableType] = [safe(board.title, "bold")]
    if board.stand_in:
        parts.append(Text("Stand-in data, which only looks like the real thing: this ranking means nothing.", "yellow"))
    if board.frozen_at is not None:
        parts.append(Text(f"Frozen: later attempts than {moment_text(board.frozen_at)} are not shown.", "cyan"))
    parts += _ranking(board) if board.standings else [Text("Nobody is ranked yet.")]
    if unverified := _unverified(board):
        parts += [Text(), _listing(("not verified", "reason"), unverified)]
    if board.unranked:
        rows: list[list[Cell]] = [
            [_name(each.name, each.submission), each.status, safe(each.reason, limit_characters=_REASON_CHARACTERS)]
            for each in board.unranked
        ]
        parts += [Text(), _listing(("not ranked", "status", "reason"), rows)]
    if board.missing:
        rows = [[safe(person.id), safe(person.name), safe(person.team or "")] for person in board.missing]
        parts += [Text(), _listing(("handed in nothing", "name", "team"), rows)]
    return Group(*parts)


def _unverified(board: Board) -> list[list[Cell]]:
    """Whose network was not verified and why, as far as the reader may know."""
    return [
        [_name(row.name, row.submission), safe(row.unverified_because, limit_characters=_REASON_CHARACTERS)]
        for row in board.standings
        if row.unverified_because
    ]


def _listing(headers: tuple[str, ...], rows: list[list[Cell]]) -> RenderableType:
    if len(rows) > _LARGE_ROWS:
        return LargeTable(headers, rows)
    table = simple_table(*headers)
    for row in rows:
        table.add_row(*row)
    return table


def _ranking(board: Board) -> list[RenderableType]:
    titles = map(board.title_of, (board.ranking[0].metric, *_others(board)))
    headers = ("#", "name", "", next(titles), "score", *titles)
    rows = [_cells(line, board) for line in board.lines()]
    meanings = [Text(f"{mark} {meaning}", "dim") for mark, meaning in used_symbols(board).items()]
    if board.possible and (rest := to_come_text(board.possible)):
        meanings.append(Text(f"scores so far: {rest}", "dim"))
    if len(rows) > _LARGE_ROWS:
        return [LargeTable(headers, rows), *meanings]
    return [FittingTable(headers, rows, kept=_ALWAYS_SHOWN), *meanings]


def _others(board: Board) -> list[str]:
    """The metrics behind the score."""
    return [*(key.metric for key in board.ranking[1:]), *board.briefly]


def _cells(line: Standing | Baseline, board: Board) -> list[Cell]:
    if isinstance(line, Baseline):
        blanks: list[Cell] = [""] * (len(board.ranking) + len(board.briefly))
        return ["", safe(f"— {line.name} —", "dim"), "", Text(f"{100 * line.accuracy:.2f} %", "dim"), *blanks]
    first = line.metrics[board.ranking[0].metric]
    others = [Text(figure_text(line.metrics.get(name), board.title_of(name))) for name in _others(board)]
    score = score_text(line.score, line.possible.total, line.pending)
    name = Text("\n").join([_name(line.name, line.submission), *_not_passed(line)])
    accuracy = _metric_cell(metric_text(first), interval_text(first))
    return [str(line.rank), name, symbols(line), accuracy, score, *others]


def _not_passed(row: Standing) -> list[Text]:
    return [safe(f"✗ {name}", "red") for name in row.failed_checks] + [
        safe(f"? {name}", "yellow") for name in row.unchecked
    ]


def _metric_cell(value: str, interval: str) -> Text:
    return Text.assemble(value, (f"\n{interval}", "dim")) if interval else Text(value)


def _name(name: str, submission: str | None) -> Text:
    if submission is None or clean(submission, 120) in name:
        return safe(name)
    return Text.assemble(safe(name), ("\n", ""), safe(submission, "dim"))


def simple_table(*headers: str) -> Table:
    """A table without lines; long cells fold."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for header in headers:
        table.add_column(Text(header), overflow="fold")
    return table


def plain_grid() -> Table:
    """Three columns: a mark, a name, and text that folds."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    return grid
