"""`harness submit`: check one submission, and pack what was checked."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.checking import Out, own_sandbox_option, passed, started
from harness.cli.options import assignment_argument, data_option, json_option, quiet_option
from harness.errors import SubmissionError, UsageError
from harness.terminal.stages import Stages
from harness.vocabulary import ExitCode

if TYPE_CHECKING:
    from harness.cli.checking import Checking


@click.command()
@assignment_argument
@click.argument("path", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.zip",
    help="The zip to write. [default: FOLDER.zip, beside the folder]",
)
@click.option("--anyway", is_flag=True, help="Pack it although something does not pass.")
@own_sandbox_option
@quiet_option
@json_option
@data_option
def command(
    *,
    assignment_name: str,
    path: Path,
    out: Path | None,
    anyway: bool,
    sandbox_name: str | None,
    quiet: bool,
    json_to: str | None,
    data: dict[str, Path],
) -> None:
    """Check one submission, and pack what was checked into a zip to hand in.

    The zip lists its files with their digests: 'grade' notes when something else arrives. Caches, .git and the like are
    left out. Where something fails or could not be checked nothing is written and it exits with 1, unless --anyway.
    """
    from harness.sandbox.rooms import room

    target = _target(path, out)
    with room() as folder:
        with Stages("starting", quiet=quiet) as stages:
            checking = started(assignment_name, path, sandbox_name, data)
            # From here on it is the zip that is checked, so that nothing else can be handed in.
            packed = _packed(checking, folder)
            checking.path = packed or path
            result = checking.run(stages)
        Out(None, json_to, quiet=quiet).say(checking, result)
        if packed is not None and (anyway or passed(result)):
            _write(packed, target)
            _tell(f"wrote {target}: hand in this file", quiet=quiet)
        elif packed is not None:
            _tell("nothing was packed, since not all of it passes; --anyway packs it as it is", quiet=quiet)
    raise click.exceptions.Exit(ExitCode.DONE if passed(result) else ExitCode.NOT_PASSED)


def _target(path: Path, out: Path | None) -> Path:
    """Where the zip goes.

    Raises:
        UsageError: it would be part of the hand-in, or replace a file that is none of ours.
    """
    from harness.submission.discovery import submission_id
    from harness.submission.manifest import is_packed

    found = path.resolve()
    beside = path.parent if path.name not in {"", ".."} else found.parent
    target = out or beside / f"{submission_id(found)}.zip"
    if found.is_dir() and target.resolve().is_relative_to(found):
        raise UsageError(f"--out {target}: lies in {path}, and would be part of the next hand-in: name another place")
    if target.suffix.lower() != ".zip":
        raise UsageError(f"--out {target}: it becomes a zip: call it {target.name}.zip")
    if target.exists() and not is_packed(target):
        raise UsageError(f"{target} is there already, and not from 'harness submit': name another file with --out")
    return target


def _packed(checking: Checking, folder: Path) -> Path | None:
    """A zip of the hand-in below `folder`, under the hand-in's name; None where it cannot be read, as checking says."""
    from harness.submission.discovery import discover
    from harness.submission.manifest import pack

    (hand_in,) = discover([checking.path], mode="single")
    target = folder / f"{hand_in.id}.zip"
    formats, limits = checking.plugins.weight_format_modules, checking.assignment.rules.limits
    with checking.sandbox.box() as box:
        try:
            pack(box.read(hand_in, formats, limits).folder, target)
        except SubmissionError:
            return None
    return target


def _write(packed: Path, target: Path) -> None:
    try:
        shutil.copyfile(packed, target)
    except OSError as error:
        raise UsageError(f"{target}: cannot be written: {error.strerror}") from error


def _tell(sentence: str, *, quiet: bool) -> None:
    if not quiet:
        click.echo(sentence, err=True)
