"""Lay out the rows and columns of the board's page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from markupsafe import Markup

from harness.api import Baseline, Board, Entry, Metric, Standing
from harness.api.boards import symbols
from harness.api.charts import Scale, element, spanning
from harness.api.text import clean, figure_text, interval_text, score_text

_DRAWN_ROWS = 1_000
"""Longer boards have no intervals drawn in them: their page is large enough."""
_WIDTH, _HEIGHT = 110, 12
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SiteCell:
    """What stands in a cell: a value and, smaller, its interval."""

    text: str
    small: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A sortable column of figures."""

    title: str
    best_first: str
    """The direction of its first click: descending or ascending."""


@dataclass(frozen=True, slots=True)
class SiteRow:
    """A submission or, without a rank, a baseline."""

    name: str
    people: str
    """For the instructor: the id and who handed it in, as far as the name does not say so."""
    rank: int | None
    signs: str
    cells: Sequence[SiteCell]
    drawn: Markup
    failed: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SiteTable:
    """Everything the ranking shows."""

    columns: list[Column]
    rows: list[SiteRow]
    drawn: bool
    """Whether a picture of the interval stands in each row."""

    @classmethod
    def of(cls, board: Board) -> SiteTable:
        keys = [*board.ranking]
        columns = [
            Column(board.title_of(each.metric), "descending" if each.higher_is_better else "ascending") for each in keys
        ]
        columns += [Column(board.title_of(name), _direction(name, board)) for name in board.further]
        extra = _extra(board)
        columns += [Column(title, direction) for title, direction in extra]
        columns = _score_second(columns, [title for title, _ in extra])
        first = keys[0].metric
        scale = _scale(board, first) if len(board.standings) <= _DRAWN_ROWS else None
        rows = [_row(line, board, [title for title, _ in extra], scale) for line in board.lines()]
        return cls(columns, rows, scale is not None)


def people(row: Entry) -> str:
    """The id where the name does not show it, the members, and whether an instructor decided something."""
    known = [] if row.submission is None or row.submission in row.name else [row.submission]
    decided = ["overridden"] if row.override else []
    return clean(", ".join([*known, *row.members, *decided]), 200)


def page_facts(row: Standing, board: Board) -> list[str]:
    """What the board says of a submission, for its own page."""
    facts = [f"rank {row.rank}{' (shared)' if row.tie else ''} of {len(board.standings):,}"]
    if row.distinguishable is not None:
        told = "can be told from the leader" if row.distinguishable else "cannot be told from the leader"
        p = _p(row.p_value)
        facts.append(f"{told} (p {p})" if p.startswith("<") else f"{told} (p = {p})")
    if row.pareto:
        facts.append("on the Pareto front")
    return facts


def _extra(board: Board) -> list[tuple[str, str]]:
    rows = board.standings
    candidates = {
        "public rank": any(row.public_rank is not None for row in rows),
        "p": any(row.p_value is not None for row in rows),
        "score": any(row.max_score for row in rows),
        "attempts": any(row.attempts > 1 for row in rows),
        "days late": any(row.late_days or row.late_unknown for row in rows),
    }
    return [(title, "descending" if title == "score" else "ascending") for title, used in candidates.items() if used]


def _direction(name: str, board: Board) -> str:
    metrics = (row.metrics[name] for row in board.standings if name in row.metrics)
    first = next(metrics, None)
    return "descending" if first is not None and first.higher_is_better else "ascending"


def _row(line: Standing | Baseline, board: Board, extra: Sequence[str], scale: Scale | None) -> SiteRow:
    if isinstance(line, Baseline):
        cells = [SiteCell(f"{100 * line.accuracy:.2f} %")]
        cells += [SiteCell("")] * (len(board.ranking) + len(board.further) + len(extra) - 1)
        drawn = _level(scale, line.accuracy) if scale else Markup("")
        return SiteRow(clean(line.name, 60), "", None, "", cells, drawn)
    ranked = {board.title_of(key.metric): line.metrics[key.metric] for key in board.ranking}
    cells = [SiteCell(figure_text(each, title), interval_text(each)) for title, each in ranked.items()]
    cells += [SiteCell(figure_text(line.metrics.get(name), board.title_of(name))) for name in board.further]
    cells += [SiteCell(_extra_cell(line, title)) for title in extra]
    cells = _score_second(cells, extra)
    drawn = _interval(scale, line.metrics[board.ranking[0].metric]) if scale else Markup("")
    name = clean(line.name, 120)
    return SiteRow(name, people(line), line.rank, symbols(line), cells, drawn, line.failed_checks, line.unchecked)


def _score_second(cells: Sequence[T], extra: Sequence[str]) -> list[T]:
    """The score right behind what the board ranks by first: narrow screens show no more without scrolling."""
    ordered = list(cells)
    if "score" in extra:
        ordered.insert(1, ordered.pop(len(cells) - len(extra) + extra.index("score")))
    return ordered


def _extra_cell(row: Standing, title: str) -> str:
    values = {
        "public rank": "" if row.public_rank is None else str(row.public_rank),
        "p": _p(row.p_value),
        "score": score_text(row.score, row.possible.total, row.pending),
        "attempts": f"{row.attempts:,}",
        "days late": _late(row),
    }
    return values[title]


def _late(row: Standing) -> str:
    if row.late_days is None:
        return "?" if row.late_unknown else ""
    return f"{row.late_days:,}"


def _p(value: float | None) -> str:
    if value is None:
        return ""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _scale(board: Board, name: str) -> Scale | None:
    metrics = [row.metrics[name] for row in board.standings]
    ends = [end for each in metrics for end in (each.low, each.high) if end is not None]
    return spanning(ends, start=4, end=_WIDTH - 4, share=0.02) if ends else None


def _interval(scale: Scale, metric: Metric) -> Markup:
    if metric.low is None or metric.high is None:
        return Markup("")
    middle = _HEIGHT // 2
    interval = element("path", d=f"M{scale(metric.low)} {middle}H{scale(metric.high)}", class_="interval")
    return _picture(interval + element("circle", cx=scale(metric.value), cy=middle, r=3.2, class_="value"))


def _level(scale: Scale, value: float) -> Markup:
    if not scale.low <= value <= scale.high:
        return Markup("")
    return _picture(element("path", d=f"M{scale(value)} 0V{_HEIGHT}", class_="level"))


def _picture(inside: Markup) -> Markup:
    return element(
        "svg",
        inside,
        class_="bar",
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        width=_WIDTH,
        height=_HEIGHT,
        aria_hidden="true",
    )
