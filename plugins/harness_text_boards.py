"""The board as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from tabulate import tabulate

from harness.api import Writer, hookimpl
from harness.leaderboard import Board, Standing
from harness.text import clean, interval_text, markdown_cell, metric_text, score_text

# What spreadsheets take for the start of a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class Markdown:
    """A table for GitHub, GitLab and course pages."""

    name = "markdown"

    def render(self, board: Board) -> dict[str, str]:
        parts = [f"# {markdown_cell(board.title)}"]
        if board.stand_in:
            parts.append("> Graded on stand-in data, which only looks like the real thing: this ranking means nothing.")
        headers = ["rank", "name", *(key.metric for key in board.ranking), *_others(board), "score", "failed checks"]
        parts.append(_table([self._row(row, board) for row in board.standings], headers))
        if board.unranked:
            rows = [[markdown_cell(each.name), each.status, markdown_cell(each.reason)] for each in board.unranked]
            parts += ["## Not ranked", _table(rows, ["name", "status", "reason"])]
        return {"leaderboard.md": "\n\n".join(parts) + "\n"}

    @staticmethod
    def _row(row: Standing, board: Board) -> list[str]:
        metrics = (row.metrics[key.metric] for key in board.ranking)
        ranked = [f"{metric_text(each)} {_in_brackets(interval_text(each))}".strip() for each in metrics]
        others = ["" if value is None else f"{value:,}" for value in (getattr(row, name) for name in _others(board))]
        return [
            str(row.rank),
            markdown_cell(row.name),
            *ranked,
            *others,
            score_text(row.score, row.max_score),
            markdown_cell(", ".join(row.failed_checks)),
        ]


class Csv:
    """Comma-separated values, safe to open in a spreadsheet; numbers are plain, absent ones empty."""

    name = "csv"

    def render(self, board: Board) -> dict[str, str]:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        ends = [f"{key.metric}{end}" for key in board.ranking for end in ("", "_low", "_high")]
        tail = ["failed_checks", "unchecked", "stand_in", "status", "reason"]
        writer.writerow(["rank", "name", "submission", *ends, *_others(board), "score", "max_score", *tail])
        for row in board.standings:
            metrics = (row.metrics[key.metric] for key in board.ranking)
            numbers = [number for each in metrics for number in (each.value, each.low, each.high)]
            others = [getattr(row, name) for name in _others(board)]
            checks = [" ".join(row.failed_checks), " ".join(row.unchecked)]
            end = [*checks, "yes" if row.stand_in else "no", "graded", None]
            cells = [row.rank, row.name, row.submission, *numbers, *others, row.score, row.max_score, *end]
            writer.writerow(map(_csv_cell, cells))
        blanks = [None] * (len(ends) + len(_others(board)) + 5)
        for out in board.unranked:
            writer.writerow(map(_csv_cell, [None, out.name, out.submission, *blanks, out.status, out.reason]))
        return {"leaderboard.csv": text.getvalue()}


class Json:
    """The whole board as one JSON document."""

    name = "json"

    def render(self, board: Board) -> dict[str, str]:
        # The names and reasons were written by students; JSON escapes control characters only below U+0020.
        standings = tuple(row.model_copy(update={"name": clean(row.name)}) for row in board.standings)
        unranked = tuple(
            row.model_copy(update={"name": clean(row.name), "reason": clean(row.reason)}) for row in board.unranked
        )
        cleaned = board.model_copy(update={"standings": standings, "unranked": unranked})
        return {"leaderboard.json": cleaned.model_dump_json(indent=1) + "\n"}


def _others(board: Board) -> list[str]:
    """The columns every board has beside those it ranks by."""
    ranked = {key.metric for key in board.ranking}
    return [name for name in ("parameters", "stored_bytes") if name not in ranked]


def _in_brackets(text: str) -> str:
    return f"({text})" if text else ""


def _table(rows: list[list[str]], headers: list[str]) -> str:
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True) if rows else "Nobody yet."


def _csv_cell(value: str | float | None) -> str | float | None:
    if not isinstance(value, str):
        return value
    # The quote goes by what the student wrote: cleaning drops a leading tab, and what follows it would run.
    text = clean(value)
    return f"'{text}" if value.startswith(_FORMULA_STARTS) or text.startswith(_FORMULA_STARTS) else text


@hookimpl
def harness_writers() -> Iterable[Writer]:
    return (Markdown(), Csv(), Json())
