"""`harness export`: write all points of a class, for the instructor's records and for other systems."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from harness.cli.options import (
    assignment_argument,
    complete_plugins,
    data_option,
    deliver,
    load_assignment,
    manual_option,
    out_option,
    plugins_print_to_stderr,
    roster_option,
    say_all,
    store_option,
    times_option,
)
from harness.errors import UsageError
from harness.vocabulary import ExitCode

if TYPE_CHECKING:
    from harness.board.matching import RosterFile
    from harness.contracts.publishing import Matches


@click.command()
@assignment_argument
@click.option(
    "--to",
    "exporter",
    required=True,
    metavar="NAME",
    shell_complete=complete_plugins("exporters"),
    help="csv, … ('harness plugins' lists the exporters).",
)
@store_option
@out_option
@click.option(
    "--template",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The other system's file, where it wants its own filled in.",
)
@manual_option
@roster_option
@times_option
@data_option
@click.option(
    "--wheel",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE.whl",
    help="Of the harness, for an autograder to install; else it comes from the package index.",
)
def command(
    *,
    assignment_name: str,
    exporter: str,
    store_url: str,
    out: Path | None,
    template: Path | None,
    manual: Path | None,
    roster: RosterFile | None,
    times: Path | None,
    data: dict[str, Path],
    wheel: Path | None,
) -> None:
    """Export points for another system, or for the instructor's own record.

    With names and all points: automatic, by rank, by hand, lateness, overrides. Not for the class. Exits with 1 when
    someone who was graded has no line in the other system's file.
    """
    from harness.assignment.exported import to_export
    from harness.board.record import BoardRequest, class_record
    from harness.contracts.publishing import Matching, Packs
    from harness.data.handout import hand_out
    from harness.plugins.faults import blaming
    from harness.plugins.files import expect_files
    from harness.plugins.kinds import EXPORTER
    from harness.store.store import Store

    assignment, plugins = load_assignment(assignment_name, {}, needs_data=False)
    if exporter not in plugins.exporters:
        raise UsageError(f"--to {exporter}: no such exporter{plugins.missing(exporter, plugins.exporters)}")
    chosen = plugins.exporters[exporter]
    if isinstance(chosen, Packs):
        assignment, _ = load_assignment(assignment_name, data)
        with TemporaryDirectory() as folder:
            kit = Path(folder) / "kit"
            hand_out(assignment, plugins, kit)
            _pack(*chosen.pack(to_export(assignment, kit), wheel), out)
        return
    with closing(Store.open(store_url, create=False)) as store:
        record = class_record(store, assignment, BoardRequest(manual=manual, roster=roster, times=times))
    say_all(record.said)
    with plugins_print_to_stderr(), blaming(EXPORTER, chosen, "export"):
        files = chosen.export(record.board, template)
    deliver(expect_files(EXPORTER, chosen, "export", files), out)
    if isinstance(chosen, Matching):
        _say_who_matched(chosen.matches(record.board, template))


def _pack(name: str, files: Mapping[str, bytes | Path], out: Path | None) -> None:
    """Write a zip whose times do not change from day to day; whoever unpacks it may run what begins with #!."""
    import zipfile

    target = Path(name) if out is None else out / name if out.is_dir() else out
    try:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, content in files.items():
                data = content.read_bytes() if isinstance(content, Path) else content
                entry = zipfile.ZipInfo(path)
                entry.external_attr = (0o755 if data.startswith(b"#!") else 0o644) << 16
                archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    except OSError as error:
        raise UsageError(f"{error.filename or target}: {error.strerror}") from error
    click.echo(f"wrote {target}", err=True)


def _say_who_matched(found: Matches) -> None:
    click.echo(f"{found.matched} of {found.matched + len(found.unmatched)} matched", err=True)
    if found.unmatched:
        say_all(["without a line of their own there:", *found.unmatched])
        raise click.exceptions.Exit(ExitCode.NOT_PASSED)
