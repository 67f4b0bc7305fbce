"""Write the board as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

from harness.api import Baseline, Board, Standing, Unranked, Writer, hookimpl
from harness.api.boards import symbols, used_symbols
from harness.api.text import (
    clean,
    csv_cell,
    figure_text,
    interval_text,
    markdown_cell,
    moment_text,
    score_text,
    to_come_text,
)

_REASON_CHARACTERS = 4000


class Markdown:
    """A table for GitHub, GitLab and course pages."""

    name = "markdown"

    def render(self, board: Board) -> dict[str, str]:
        parts = [f"# {markdown_cell(board.title)}"]
        if board.stand_in:
            parts.append("> Graded on stand-in data, which only looks like the real thing: this ranking means nothing.")
        if board.frozen_at is not None:
            parts.append(f"Frozen: later attempts than {moment_text(board.frozen_at)} are not shown.")
        headers = [
            "rank",
            "name",
            "",
            *map(board.title_of, (*(key.metric for key in board.ranking), *board.briefly)),
            "score",
            "failed checks",
        ]
        rows = [self._row(line, board) for line in board.lines()] if board.standings else []
        parts.append(_table(rows, headers))
        parts += [f"{mark} {markdown_cell(meaning)}" for mark, meaning in used_symbols(board).items()]
        if board.possible and (rest := to_come_text(board.possible)):
            parts.append(f"Scores so far: {rest}.")
        if unverified := _unverified(board):
            parts += ["## Not verified", _table(unverified, ["name", "reason"])]
        if board.unranked:
            out = [[markdown_cell(each.name), each.status, markdown_cell(each.reason)] for each in board.unranked]
            parts += ["## Not ranked", _table(out, ["name", "status", "reason"])]
        return {"leaderboard.md": "\n\n".join(parts) + "\n"}

    @staticmethod
    def _row(row: Standing | Baseline, board: Board) -> list[str]:
        if isinstance(row, Baseline):
            blanks = [""] * (len(board.ranking) + len(board.briefly) + 1)
            return ["", f"*{markdown_cell(row.name)}*", "", f"{100 * row.accuracy:.2f} %", *blanks]
        metrics = {board.title_of(key.metric): row.metrics[key.metric] for key in board.ranking}
        ranked = [
            f"{figure_text(each, title)} {_in_brackets(interval_text(each))}".strip() for title, each in metrics.items()
        ]
        return [
            str(row.rank),
            markdown_cell(row.name),
            symbols(row),
            *ranked,
            *(figure_text(row.metrics.get(name), board.title_of(name)) for name in board.briefly),
            score_text(row.score, row.possible.total, row.pending),
            markdown_cell(", ".join(row.failed_checks)),
        ]


class Csv:
    """Comma-separated values, safe to open in a spreadsheet; numbers are plain, absent ones empty."""

    name = "csv"

    def render(self, board: Board) -> dict[str, str]:
        text = io.StringIO()
        ends = [f"{key.metric}{end}" for key in board.ranking for end in ("", "_low", "_high")]
        tests = ["p_value", "distinguishable", "pareto", "verified"]
        columns = ["rank", "tie", "name", "submission", "members", *ends, *board.further, *tests]
        columns += [
            "score",
            "max_score",
            "pending",
            "failed_checks",
            "unchecked",
            "stand_in",
            "attempts",
            "submitted_at",
        ]
        columns += ["late_days", "late_unknown", "status", "reason", "unverified_because"]
        writer = csv.DictWriter(text, columns, lineterminator="\n", restval=None)
        writer.writeheader()
        for row in board.standings:
            cells = {**self._standing(row, board), "unverified_because": row.unverified_because}
            writer.writerow({name: csv_cell(value) for name, value in cells.items()})
        for out in board.unranked:
            shared = {name: csv_cell(value) for name, value in _of_both(out).items()}
            writer.writerow({**shared, "status": out.status, "reason": csv_cell(out.reason)})
        return {"leaderboard.csv": text.getvalue()}

    @staticmethod
    def _standing(row: Standing, board: Board) -> dict[str, Any]:
        cells = _of_both(row)
        for key in board.ranking:
            metric = row.metrics[key.metric]
            cells |= {key.metric: metric.value, f"{key.metric}_low": metric.low, f"{key.metric}_high": metric.high}
        cells |= {name: row.metrics[name].value for name in board.further if name in row.metrics}
        checks = {"failed_checks": " ".join(row.failed_checks), "unchecked": " ".join(row.unchecked)}
        plain = ("rank", "tie", "p_value", "distinguishable", "pareto", "verified", "score", "max_score", "pending")
        return cells | checks | {name: getattr(row, name) for name in (*plain, "stand_in")} | {"status": "graded"}


class Json:
    """The whole board as one JSON document."""

    name = "json"

    def render(self, board: Board) -> dict[str, str]:
        # Names and reasons were written by students. Plain ASCII: pydantic's own JSON leaves characters that reverse or
        # hide text as they are.
        standings = tuple(row.model_copy(update=_cleaned(row)) for row in board.standings)
        unranked = tuple(
            row.model_copy(update={"name": clean(row.name), "reason": clean(row.reason)}) for row in board.unranked
        )
        cleaned = board.model_copy(update={"standings": standings, "unranked": unranked})
        return {"leaderboard.json": json.dumps(cleaned.model_dump(mode="json"), indent=1, allow_nan=False) + "\n"}


def _unverified(board: Board) -> list[list[str]]:
    """Whose network was not verified and why, as far as the reader may know."""
    return [
        [markdown_cell(row.name), markdown_cell(row.unverified_because, _REASON_CHARACTERS)]
        for row in board.standings
        if row.unverified_because
    ]


def _cleaned(row: Standing) -> dict[str, str | None]:
    because = row.unverified_because
    return {"name": clean(row.name), "unverified_because": because and clean(because, _REASON_CHARACTERS)}


def _of_both(row: Standing | Unranked) -> dict[str, Any]:
    """What is known of everyone, ranked or not."""
    names = ("name", "submission", "attempts", "late_days", "late_unknown")
    cells = {name: getattr(row, name) for name in names}
    submitted = None if row.submitted_at is None else row.submitted_at.isoformat(timespec="seconds")
    return {**cells, "members": "; ".join(row.members), "submitted_at": submitted}


def _in_brackets(text: str) -> str:
    return f"({text})" if text else ""


def _table(rows: list[list[str]], headers: list[str]) -> str:
    from tabulate import tabulate

    return tabulate(rows, headers, tablefmt="github", disable_numparse=True) if rows else "Nobody yet."


@hookimpl
def harness_writers() -> Iterable[Writer]:
    return (Markdown(), Csv(), Json())
