"""Define options that several commands share, and what they all do with them."""

from __future__ import annotations

import functools
import getpass
import unicodedata
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click
from click.shell_completion import CompletionItem

from harness.cli.disabling import DISABLED
from harness.errors import UsageError
from harness.vocabulary import DEFAULT_STORE

if TYPE_CHECKING:
    from harness.assignment.loading import Assignment
    from harness.plugins import Plugins

Command = TypeVar("Command", bound=Callable[..., Any])


def _shipped(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
    """Shells complete ids of shipped assignments, and files as everywhere."""
    from harness.assignment.loading import shipped

    found = [CompletionItem(name) for name in shipped() if name.startswith(begun)]
    return found or [CompletionItem(begun, type="file")]


Completion = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def complete_plugins(plural: str, *more: str) -> Completion:
    """Shells complete what installed plugins contribute of one kind, such as `writers`, and `more`."""

    def complete(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
        from harness.plugins import Plugins

        names = sorted({*more, *getattr(Plugins.installed(), plural)})
        return [CompletionItem(name) for name in names if name.startswith(begun)]

    return complete


assignment_argument = click.argument("assignment_name", metavar="ASSIGNMENT", shell_complete=_shipped)
_FILES_NAMED = 10


def store_option(command: Command) -> Command:
    return click.option(
        "--store",
        "store_url",
        default=DEFAULT_STORE,
        show_default=True,
        metavar="URL",
        envvar="HARNESS_STORE",
        help="Where results are kept, as an SQLAlchemy URL (also the variable HARNESS_STORE).",
    )(command)


def data_option(command: Command) -> Command:
    return click.option(
        "--data",
        "data",
        multiple=True,
        metavar="NAME=PATH",
        callback=_parse_data,
        help="Use another folder for a data set, such as test=food11/validation. Repeatable.",
    )(command)


def json_option(command: Command) -> Command:
    return click.option(
        "--json",
        "json_to",
        metavar="FILE|-",
        help="Also write the results as JSON; with '-' JSON is all that goes to stdout.",
    )(command)


quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")


def out_option(command: Command) -> Command:
    return click.option("--out", type=click.Path(path_type=Path), help="Write to this file, or folder, instead.")(
        command
    )


def author_option(command: Command) -> Command:
    return click.option(
        "--author", default=_user, show_default="your user name", help="Who decided it; kept with the decision."
    )(command)


def why_option(command: Command) -> Command:
    return click.option(
        "--why", "--reason", "reason", required=True, callback=_said, help="Why; kept with the decision."
    )(command)


def _said(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("say why, in a few words")
    return value


def composed(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """An id as it is kept, however a keyboard or a file system writes its accents."""
    return value and unicodedata.normalize("NFC", value)


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def manual_option(command: Command) -> Command:
    return click.option(
        "--manual",
        type=click.Path(path_type=Path),
        metavar="FILE.csv",
        help="Points given by hand: a column 'submission', and one for each [[rubric.manual]].",
    )(command)


def roster_option(command: Command) -> Command:
    """`--roster` and `--alike-ids`, which the command gets as one `RosterFile`, or None."""

    @functools.wraps(command)
    def with_roster(*, roster: Path | None, alike_ids: bool, **given: Any) -> object:
        from harness.board.matching import RosterFile

        return command(roster=None if roster is None else RosterFile(roster, alike_ids), **given)

    named = click.option(
        "--roster",
        type=click.Path(path_type=Path),
        metavar="FILE.csv",
        help="Who takes part: a column 'id', and if you like 'name', 'email' and 'team'.",
    )
    alike = click.option(
        "--alike-ids",
        is_flag=True,
        help="Ids of the roster may lack leading zeros, or end in '.0', as in spreadsheets.",
    )
    return cast("Command", named(alike(with_roster)))


def times_option(command: Command) -> Command:
    return click.option(
        "--times",
        type=click.Path(path_type=Path),
        metavar="FILE.csv",
        help="When hand-ins came and were due: a column 'id', and 'submitted' or 'due' or both.",
    )(command)


def installed_plugins(*, warn: bool = True) -> Plugins:
    """All that are not disabled. What they print while they are imported goes to stderr.

    Args:
        warn: say there which ones are broken; whoever needs one of them is told anyway.
    """
    from harness.plugins import Plugins

    disabled = click.get_current_context().meta.get(DISABLED, ())
    with plugins_print_to_stderr():
        plugins = Plugins.installed(without=disabled)
    for fault in plugins.faults if warn else ():
        click.echo(f"Warning: left out: {fault}", err=True)
    return plugins


def plugins_print_to_stderr() -> AbstractContextManager[None]:
    """See `harness.plugins.output.printing_to_stderr`."""
    from harness.plugins.output import printing_to_stderr

    return printing_to_stderr()


def load_assignment(name: str, data: dict[str, Path], *, needs_data: bool = True) -> tuple[Assignment, Plugins]:
    """The assignment with its data replaced, and the installed plugins."""
    from harness.assignment.loading import load
    from harness.cli.swapped import refuse_swapped

    refuse_swapped(name)
    plugins = installed_plugins()
    return load(name, plugins, data=data, needs_data=needs_data), plugins


def write_text(path: Path, text: str) -> None:
    """Write a file the user named.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


def deliver(files: dict[str, str], out: Path | None) -> None:
    """Files to the terminal or to `out`, a folder when it is one or there are several files."""
    if len(files) > 1 or (out is not None and out.is_dir()):
        deliver_site(files.items(), out)
        return
    for text in files.values():
        if out is None:
            click.echo(text, nl=False)
        else:
            _write(out, text)
            click.echo(f"wrote {out}", err=True)


def deliver_site(files: Iterable[tuple[str, str]], out: Path | None) -> None:
    """(path, text) of files to a folder, each as soon as it is made."""
    if out is None:
        raise UsageError("this format makes several files: name a folder with --out")
    written = []
    for name, text in files:
        _write(out / name, text)
        written.append(out / name)
    if len(written) > _FILES_NAMED:
        click.echo(f"wrote {len(written):,} files to {out}", err=True)
    else:
        for target in written:
            click.echo(f"wrote {target}", err=True)


def _write(target: Path, text: str) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{target.parent}: cannot be made: {error.strerror}") from error
    write_text(target, text)


def say_all(sentences: Iterable[str]) -> None:
    """Say them to whoever runs the command, line by line; they may quote what students wrote."""
    from harness.text import clean

    for each in sentences:
        click.echo(clean(each, 1000), err=True)


def write_json(target: str | None, text: str) -> None:
    """Write JSON where `--json` says."""
    if target == "-":
        click.echo(text)
    elif target is not None:
        write_text(Path(target), text + "\n")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user id without a name, as in some containers
        return "unknown"


def _parse_data(ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, Path]:
    folders: dict[str, Path] = {}
    for value in values:
        name, equals, path = value.partition("=")
        if not (name and equals and path):
            raise click.BadParameter(f"{value!r} is not NAME=PATH", ctx)
        if name in folders:
            raise click.BadParameter(f"{name!r} is given twice", ctx)
        folders[name] = Path(path)
    return folders
