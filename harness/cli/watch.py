"""`harness watch`: grade what arrives in a folder, and keep the site up to date."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from harness.cli.options import (
    assignment_argument,
    data_option,
    load_assignment,
    plugins_print_to_stderr,
    roster_option,
    store_option,
    times_option,
)
from harness.cli.ruling import groups_of
from harness.cli.site_folder import replace_site
from harness.errors import UsageError
from harness.vocabulary import SANDBOXES

if TYPE_CHECKING:
    from harness.assignment.loading import Assignment
    from harness.board.matching import RosterFile
    from harness.board.record import BoardRequest
    from harness.grading.quota import LimitedRun
    from harness.grading.watching import Watch
    from harness.plugins import Plugins
    from harness.store.store import Store
    from harness.submission.hand_in import HandIn


@click.command()
@assignment_argument
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option("--site", type=click.Path(path_type=Path), help="Keep the class's site in this folder up to date.")
@click.option("--every", default=2.0, show_default=True, type=click.FloatRange(min=0.1), help="Seconds between looks.")
@click.option(
    "--settle",
    default=5.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="Seconds for which nothing of a hand-in may have changed before it is graded.",
)
@click.option("--jobs", type=click.IntRange(min=1), help="Submissions graded at once.  [default: usable CPUs]")
@store_option
@click.option("--sandbox", "sandbox_name", type=click.Choice(SANDBOXES), default="auto", show_default=True)
@data_option
@roster_option
@times_option
def command(
    *,
    assignment_name: str,
    folder: Path,
    site: Path | None,
    every: float,
    settle: float,
    jobs: int | None,
    store_url: str,
    sandbox_name: str,
    data: dict[str, Path],
    roster: RosterFile | None,
    times: Path | None,
) -> None:
    """Grade what arrives in a folder, and keep the site up to date.

    FOLDER holds a folder, an archive or a source file for each student or team. What is new or has changed is
    graded once it has settled; each event is a line. The store knows what was graded, so the same command goes on where
    it was.
    With [submission] attempts_per_day, further attempts of a day wait for the next. Ctrl-C ends it.
    """
    from harness.board.record import BoardRequest
    from harness.data.data_sets import DataSets
    from harness.grading.environment import environment
    from harness.grading.quota import LimitedRun
    from harness.grading.watching import Watch
    from harness.parallel import usable_cpus
    from harness.sandbox import choose
    from harness.store.store import Store
    from harness.submission.arrivals import Arrivals

    assignment, plugins = load_assignment(assignment_name, data)
    _refuse_folders(folder, site)
    sandbox, images, members = choose(sandbox_name), DataSets(assignment, plugins, "instructor"), _teams(roster)
    kept_as, at_once = environment(sandbox.name), jobs or usable_cpus()
    with closing(Store.open(store_url)) as store:

        def run_of(ready: Sequence[HandIn]) -> LimitedRun:
            return LimitedRun(assignment, plugins, sandbox, ready, images, store, kept_as, at_once, members=members)

        info = run_of([]).info  # what is wrong with the images is better known before anything arrives
        publish = _publisher(site, store, assignment, plugins, BoardRequest(roster=roster, times=times))
        arrivals = Arrivals(folder, timedelta(seconds=settle))
        watch = Watch(arrivals, run_of, publish, lambda: datetime.now(UTC), assignment.rules.zone)
        with suppress(KeyboardInterrupt):  # so is the signal with which services are stopped
            _say(watch, f"watching {folder} for {info.id}, by the clocks of {watch.zone}; Ctrl-C ends it")
            _watch(watch, every)
        _say(watch, "stopped; the same command goes on")


def _refuse_folders(folder: Path, site: Path | None) -> None:
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; make it, or name the one where submissions arrive")
    if site is not None and site.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"--site {site} lies in {folder} and would be graded: name a folder elsewhere")


def _teams(roster: RosterFile | None) -> Mapping[str, frozenset[str]]:
    """Id -> all ids that its team may hand in under."""
    groups = groups_of(roster)
    ids: dict[str, set[str]] = {}
    for name, group in groups.items():
        ids.setdefault(group, set()).add(name)
    return {name: frozenset(ids[group]) for name, group in groups.items()}


def _publisher(
    site: Path | None, store: Store, assignment: Assignment, plugins: Plugins, wanted: BoardRequest
) -> Callable[[bool], str | None]:
    """What brings the site up to date where anything that it shows may have changed."""
    from harness.cli.leaderboard import class_site, site_writer

    if site is not None:
        site_writer(plugins)  # what is wrong with it is better known before anything arrives
    shown_now: tuple[Any, ...] = ()

    def publish(graded: bool) -> str | None:
        nonlocal shown_now
        if site is None:
            return None
        counts = sorted(store.counts(assignment.id).items())
        decisions = store.decisions(assignment.id)
        decided = (decisions.overrides(), decisions.rulings(), decisions.events())
        state = (counts, decided, _changed_at(wanted.roster_path), _changed_at(wanted.times))
        if not counts or (state == shown_now and not graded):
            return None
        count = replace_site(class_site(store, assignment, plugins, wanted), site)
        shown_now = state
        return f"{site}: {count:,} {'page' if count == 1 else 'pages'}"

    return publish


def _changed_at(path: Path | None) -> tuple[int, int] | None:
    if path is None or not path.exists():
        return None
    found = path.stat()
    return found.st_mtime_ns, found.st_size


def _watch(watch: Watch, every_seconds: float) -> NoReturn:
    while True:
        with closing(watch.round()) as events:
            while (event := _next(events)) is not None:
                _say(watch, event)
        time.sleep(every_seconds)


def _next(events: Iterator[str]) -> str | None:
    """What happens next, without what plugins print meanwhile; None at the end."""
    with plugins_print_to_stderr():
        return next(events, None)


def _say(watch: Watch, event: str) -> None:
    click.echo(f"{watch.clock().astimezone(watch.zone):%Y-%m-%d %H:%M:%S} {event}")
