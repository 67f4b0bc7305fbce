"""Run commands. Each is a module of its own, imported when it is run: `harness --help` is instant.

This is the only place where an error becomes an exit code (`harness.vocabulary.ExitCode`).
"""

from __future__ import annotations

import difflib
import traceback
from importlib import import_module

import click

from harness.cli.characters import make_printable
from harness.cli.disabling import disable_option
from harness.cli.stopping import ending_politely
from harness.cli.swapped import TYPED
from harness.errors import HarnessError, SandboxUnavailable, of_machine
from harness.version import __version__
from harness.vocabulary import ExitCode, exit_codes

# The short help stands here and not only in the modules, so that listing the commands imports none of them.
COMMANDS = {
    "show": "Show what to hand in, what is measured, and what gives points.",
    "check": "Check one submission: what passes, what fails, and the score to expect.",
    "submit": "Check one submission, and pack what was checked into a zip to hand in.",
    "grade": "Grade submissions in a sandbox and keep every result.",
    "watch": "Grade what arrives in a folder, and keep the site up to date.",
    "validate": "Find every mistake of an assignment, and the score of a reference solution.",
    "handout": "Write what students are given: the assignment, its public images, a source to start from.",
    "leaderboard": "Rank what was graded.",
    "report": "Show all that is known of one submission.",
    "export": "Export points for another system.",
    "history": "Show every attempt of one submission.",
    "statistics": "Show a class in numbers.",
    "similarity": "Compare the submissions of a class with each other, for the instructor.",
    "override": "Set the score, the status or a check's verdict of a submission.",
    "extend": "Give a submission, a person or a team more time.",
    "excuse": "Excuse a submission, a person or a team: neither a score nor a zero.",
    "remove": "Take a submission, a person or a team off the board.",
    "requests": "List regrade requests, note one, or answer it.",
    "freeze": "Freeze the board.",
    "publish": "Publish what the private images decide.",
    "new": "Make a plugin, an assignment, a submission or a workflow to start from.",
    "plugins": "List the installed plugins.",
    "schema": "Print the JSON schema of assignment files.",
    "doctor": "Say what this machine has and what is missing.",
}


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is run, and turns errors into exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[TYPED] = tuple(args)
        return super().parse_args(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"harness.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        if all(each.name != "disable_plugin" for each in command.params):
            command.params.append(disable_option(hidden=True))
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        close = difflib.get_close_matches(args[0], COMMANDS, n=1)
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            hint = f" Did you mean {close[0]!r}?" if close else " 'harness --help' lists them."
            raise click.UsageError(f"No such command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> object:
        try:
            with ending_politely():
                return super().invoke(ctx)
        except SandboxUnavailable as error:
            _say(error)
            ctx.exit(ExitCode.NO_SANDBOX)
        except HarnessError as error:
            _say(error)
            ctx.exit(ExitCode.USAGE)
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
            ctx.exit(ExitCode.INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the person at the terminal gets a sentence first
            if machine := of_machine(error):
                _say(HarnessError(f"this machine failed: {machine}; repair that, and run the command again"))
                ctx.exit(ExitCode.USAGE)
            click.echo(f"Error: a mistake in the harness itself, please report it: {type(error).__name__}", err=True)
            click.echo(_printable("".join(traceback.format_exception(error))), err=True)
            ctx.exit(ExitCode.BUG)


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"Exit codes: {exit_codes()}.",
    params=[disable_option(hidden=False)],
)
@click.version_option(__version__, prog_name="harness")
def main() -> None:
    """Grade compressed neural networks: load them safely, verify limits and losses, measure, rank."""
    make_printable()


def _say(error: HarnessError) -> None:
    click.echo(f"Error: {_printable(str(error))}", err=True)


def _printable(text: str) -> str:
    """Messages may quote what students wrote, such as file names."""
    from harness.text import clean_lines

    return "\n".join(clean_lines(text))
