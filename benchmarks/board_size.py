"""How long a board of 10,000 submissions of 10,000 images takes, from the store to each format, and its size.

    python benchmarks/board_size.py [--rows 10000]

Results are synthetic, with what real ones carry: predictions, bits, checks, a pruning curve and a layer table.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean

import numpy as np
import sqlalchemy as sa

from harness.api import Check, Correct, Curve, Layer, Metric, Series
from harness.assignment.loading import load
from harness.board.record import BoardRequest, class_record
from harness.board.visibility import for_class
from harness.plugins import Plugins
from harness.store.store import Store
from harness.store.tables import attempts, row_of
from harness.terminal.console import board_table, console
from harness.values.results import Environment, PointLine, Result

ASSIGNMENT = "nycu-ds2023-hw2"
IMAGES = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    rows = parser.parse_args().rows
    plugins = Plugins.installed()
    assignment = load(ASSIGNMENT, plugins, needs_data=False)
    environment = Environment(harness="0.1.0", python="3.11", torch="2", torchinfo="1.8.0", sandbox="bwrap")
    with tempfile.TemporaryDirectory() as folder, closing(Store.open(f"sqlite:///{folder}/harness.db")) as store:
        with timed(f"store {rows:,} results"):
            documents = [row_of(assignment.info, environment, synthetic(index)) for index in range(rows)]
            with sa.create_engine(f"sqlite:///{folder}/harness.db").begin() as connection:
                connection.execute(attempts.insert(), documents)
        print(f"  {Path(folder, 'harness.db').stat().st_size / 1e6:.0f} MB")
        with timed("read and rank"):
            record = class_record(store, assignment, BoardRequest())
        with timed("the class's view"):
            board = for_class(record.board, assignment.measures)
        for name in ("csv", "markdown", "json"):
            with timed(name):
                (text,) = plugins.writers[name].render(board).values()
            print(f"  {len(text.encode()) / 1e6:.1f} MB")
        with timed("export to csv"):
            (text,) = plugins.exporters["csv"].export(record.board, None).values()
        print(f"  {len(text.encode()) / 1e6:.1f} MB")
        with timed("terminal table"), console().capture() as _:
            paper = console()
            with paper.capture():
                paper.print(board_table(board))
        del record, board
        for pages in ("--no-pages", "--pages"):
            site(f"sqlite:///{folder}/harness.db", Path(folder, f"site{pages}"), pages)


def site(store: str, out: Path, wanted: str) -> None:
    """The command as a class's instructor types it: start, read, rank, render, write."""
    with timed(f"site {wanted}"):
        command = ["leaderboard", ASSIGNMENT, "--store", store, "--format", "html", "--out", str(out), wanted]
        code = f"from harness.cli import main; main({command!r})"
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    index = (out / "index.html").stat().st_size
    pages = [page.stat().st_size for page in out.glob("submissions/*")] or [0]
    print(f"  index.html {index / 1e6:.1f} MB; {len(pages):,} pages of {mean(pages) / 1e3:.1f} kB", end="")
    print(f" ({max(pages) / 1e3:.1f} at most); {(index + sum(pages)) / 1e6:.0f} MB together")


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Seconds by the clock, and of processors, which other work on the machine changes less."""
    started, before = time.perf_counter(), os.times()
    yield
    seconds = time.perf_counter() - started
    used = sum(os.times()[:4]) - sum(before[:4])
    print(f"{what}: {seconds:.2f} s ({used:.2f} s of CPU)", flush=True)


def synthetic(index: int) -> Result:
    """One student's result: better by chance, and reproducible."""
    draw = np.random.default_rng(index)
    right = draw.random(IMAGES) < 0.80 + 0.15 * draw.random()
    parameters = random.Random(index).randrange(20_000, 100_000)
    value = float(right.mean())
    steps = range(20)
    return Result(
        submission=f"student-{index:05d}",
        status="graded",
        reason=None,
        digest=f"sha256:{index:064x}",
        score=45,
        max_score=45,
        metrics={
            "parameters": Metric(value=parameters, unit="parameters", higher_is_better=False),
            "accuracy": Metric(
                value=value, unit="fraction", higher_is_better=True, low=value - 0.006, high=value + 0.006
            ),
            "stored_bytes": Metric(value=4 * parameters, unit="bytes", higher_is_better=False),
        },
        checks=tuple(Check.passed(name, "as it should be") for name in ("parameter_limit", "kd_loss", "claims")),
        points=(PointLine(name="accuracy baseline", points=45, max_points=45, reason="accuracy reaches 0.8389"),),
        curves=(
            Curve(
                name="pruning",
                x="parameters",
                y="accuracy",
                series=tuple(
                    Series(
                        label=label,
                        points=tuple((parameters * 0.8**step, value * 0.98**step) for step in steps),
                        low=tuple(value * 0.98**step - 0.006 for step in steps),
                        high=tuple(value * 0.98**step + 0.006 for step in steps),
                    )
                    for label in ("global L1", "layer-wise L1", "random")
                ),
            ),
        ),
        predictions=tuple(draw.integers(0, 10, IMAGES).tolist()),
        correct=Correct(public=np.packbits(right).tobytes()),
        confusion=tuple(tuple(draw.integers(0, 1000, 10).tolist()) for _ in range(10)),
        layers=tuple(
            Layer(name=f"layer{each}", kind="Conv2d", output=(1, 32, 14, 14), parameters=99) for each in steps
        ),
        nickname=f"Nickname {index} 王",
        members=("Ann", "Bob"),
        submitted_at=datetime(2026, 1, 2, tzinfo=UTC),
        seconds=3,
    )


if __name__ == "__main__":
    main()
