"""A class whose every text is hostile, and its site."""

from __future__ import annotations

from typing import Any

from harness_site import writer as harness_site
from result_fakes import MEASURES, assignment, attempts, count, metric, result

from harness.api import Check, Curve, Layer, Row, Series, SiteWriter, Table
from harness.board.builder import standings
from harness.board.visibility import for_class
from harness.plugins import Plugins
from harness.report.view import class_report
from harness.values.board import Board
from harness.values.results import PointLine, Result

EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\x1b[31m\u202e"
NAMES = ("Añejo 🦊", "مريم", "王小明", 'O\'Brien & "sons"', EVIL)


def curves(best: float, label: str = "random") -> tuple[Curve, ...]:
    points = ((1000.0, best), (500.0, best - 0.02), (100.0, best / 3))
    low, high = (tuple(y + off for _, y in points) for off in (-0.01, 0.01))
    pruning = Series(label="global L1", points=points, low=low, high=high)
    random = Series(label=label, points=tuple((x, y / 2) for x, y in points))
    return (Curve(name="pruning", x="parameters", y="accuracy", series=(pruning, random)),)


def hostile_result(index: int, name: str = EVIL) -> Result:
    return result(
        f"{index}{name}",
        0.95 - index / 100,
        1000 + 10 * ((7 * index) % 5),
        nickname=name,
        members=(name,),
        notes=(name,),
        checks=(Check.passed("parameter_limit", name, name), Check.failed(name, name, name)),
        points=(PointLine(name=name, points=1, max_points=2, reason=name),),
        layers=(Layer(name=name, kind=name, output=(1, 8), parameters=80 + index),),
        curves=(
            *curves(0.95 - index / 100, name),
            Curve(name=name, x=name, y=name, series=(Series(label=name, points=((1.0, 2.0),)),)),
        ),
        tables=(Table(name=name, columns=(name,), rows=(Row(label=name, cells=(count(7, name),)),)),),
        confusion=((8, 2), (1, 9)),
        printed="PRINTED",
    )


def hostile_class() -> list[Result]:
    ranked = [hostile_result(index, name) for index, name in enumerate(NAMES)]
    failed = result("9", status="crashed", reason="SECRET", hint="SECRET", nickname=f"crash {EVIL}", points=())
    return [*ranked, failed]


def site_of(outcomes: list[Result], most_reports: int | None = None, **changes: Any) -> tuple[Board, dict[str, str]]:
    """The class's board and the files of its site, with everyone's report or those of the first only."""
    board = standings(attempts(*outcomes), assignment(**changes))
    rows = [*board.standings, *board.unranked]
    names = {row.submission: row.name for row in rows}
    limits = {"parameters": 1035.0}
    reports = {
        names[each.result.submission]: class_report(
            each, assignment(**changes), name=names[each.result.submission], limits=limits
        )
        for each in attempts(*outcomes[:most_reports])
    }
    writer = Plugins.of(harness_site).writers["html"]
    assert isinstance(writer, SiteWriter)
    return for_class(board, MEASURES), dict(writer.render_site(for_class(board, MEASURES), reports))


def plain_class(size: int) -> list[Result]:
    """Many small results with different figures."""
    return [
        result(
            f"student-{index:05d}",
            0.5 + (index * 7919 % size) / size * 0.45,
            1_000 + index * 104_729 % 99_000,
            metrics={
                "parameters": count(1_000 + index * 104_729 % 99_000),
                "stored_bytes": count(4_000 + index, "bytes"),
                "accuracy": metric(0.5 + (index * 7919 % size) / size * 0.45, low=0.49, high=0.96),
            },
            curves=curves(0.9),
        )
        for index in range(size)
    ]
