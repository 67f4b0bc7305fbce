"""`harness validate`: every mistake of an assignment before a class meets it, and what a reference solution gets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import (
    assignment_argument,
    data_option,
    json_option,
    load_assignment,
    now,
    plugins_print_to_stderr,
    quiet_option,
    write_json,
)
from harness.vocabulary import SANDBOXES, ExitCode

if TYPE_CHECKING:
    from rich.console import Console

    from harness.assignment.loading import Assignment
    from harness.errors import Problem
    from harness.plugins import Plugins
    from harness.values.results import Result

_SAMPLE = 8
"""Images of each data set that are decoded, to see that they fit."""


@click.command()
@assignment_argument
@click.argument("reference", required=False, type=click.Path(path_type=Path))
@click.option(
    "--sandbox",
    "sandbox_name",
    type=click.Choice(SANDBOXES),
    default="auto",
    show_default=True,
    help="For the reference solution.",
)
@quiet_option
@json_option
@data_option
def command(
    *,
    assignment_name: str,
    reference: Path | None,
    sandbox_name: str,
    quiet: bool,
    json_to: str | None,
    data: dict[str, Path],
) -> None:
    """Find every mistake of an assignment, and the score of a reference solution.

    Mistakes are errors (exit code 2); what is allowed but probably not meant is a warning (0). REFERENCE is graded on
    all images, as 'harness grade' does, and nothing is kept of it; exits with 1 when it is not graded or a check fails.
    """
    from harness.assignment.doubts import doubts
    from harness.assignment.places import all_placed
    from harness.errors import AssignmentError
    from harness.terminal.console import console

    paper = console(stderr=json_to == "-", quiet=quiet)
    try:
        assignment, plugins = load_assignment(assignment_name, data)
    except AssignmentError as error:
        write_json(json_to, _document(assignment_name, errors=error.problems))
        raise
    text = assignment.source.read_text(encoding="utf-8")
    with plugins_print_to_stderr():
        errors, warnings = (
            all_placed(found, text) for found in (_unfit_data(assignment, plugins), doubts(assignment, plugins, now()))
        )
        result = _graded(reference, assignment, plugins, sandbox_name) if reference and not errors else None
    _show(assignment, errors, warnings, paper)
    if result is not None:
        _show_reference(result, assignment, plugins, sandbox_name, paper)
    write_json(
        json_to, _document(assignment.id, errors=errors, warnings=warnings, assignment=assignment, result=result)
    )
    raise click.exceptions.Exit(_exit_code(errors, result))


def _unfit_data(assignment: Assignment, plugins: Plugins) -> list[Problem]:
    """Data sets that cannot be read, or whose images or labels do not fit the assignment."""
    from harness.data.images import load_examples
    from harness.errors import Problem, UsageError

    found = []
    for name in assignment.rules.data:
        for size in assignment.rules.submission.input_sizes:
            try:
                load_examples(assignment, name, size, plugins.datasets, sample=_SAMPLE)
            except UsageError as error:
                found.append(Problem(f"data.{name}", str(error)))
                break
    return found


def _graded(reference: Path, assignment: Assignment, plugins: Plugins, sandbox_name: str) -> Result:
    from harness.grading.grader import grade_all
    from harness.parallel import usable_cpus
    from harness.sandbox import choose
    from harness.submission.discovery import discover

    hand_ins = discover([reference], mode="single")
    (result,) = grade_all(assignment, hand_ins, plugins=plugins, sandbox=choose(sandbox_name), jobs=usable_cpus())
    return result


def _show(
    assignment: Assignment,
    errors: Sequence[Problem],
    warnings: Sequence[Problem],
    paper: Console,
) -> None:
    from harness.terminal.console import safe

    for kind, problems in (("error", errors), ("warning", warnings)):
        for each in problems:
            paper.print(safe(f"{kind}: {each}", limit_characters=1000))
    count = "no mistakes" if not errors else "1 mistake" if len(errors) == 1 else f"{len(errors)} mistakes"
    paper.print(
        safe(f"{assignment.source}: {count}, {len(warnings)} warning{'' if len(warnings) == 1 else 's'}", "bold")
    )
    points = ", ".join(
        f"{value:g} {name.replace('_', ' ')}" for name, value in assignment.rules.rubric.possible.items()
    )
    paper.print(safe(f"Points: {points}"))


def _show_reference(
    result: Result, assignment: Assignment, plugins: Plugins, sandbox_name: str, paper: Console
) -> None:
    from harness.assignment.loading import metric_limits
    from harness.terminal.check import Checked, check_view
    from harness.terminal.console import safe
    from harness.text import score_text

    paper.print()
    limits = metric_limits(assignment, plugins)
    paper.print(check_view(Checked(result, assignment, limits, walled=sandbox_name != "none")))
    paper.print(safe(f"Expected score  {score_text(result.score, result.max_score, result.pending)}", "bold"))


def _document(
    name: str,
    *,
    errors: Sequence[Problem],
    warnings: Sequence[Problem] = (),
    assignment: Assignment | None = None,
    result: Result | None = None,
) -> str:
    document: dict[str, Any] = {
        "schema_version": 1,
        "assignment": name,
        "errors": [asdict(each) for each in errors],
        "warnings": [asdict(each) for each in warnings],
        "points": None if assignment is None else assignment.rules.rubric.possible,
        "reference": None if result is None else result.model_copy(update={"predictions": None}).to_document(),
    }
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


def _exit_code(errors: Sequence[Problem], result: Result | None) -> ExitCode:
    if errors:
        return ExitCode.USAGE
    if result is None:
        return ExitCode.DONE
    fine = result.status == "graded" and all(check.verdict != "failed" for check in result.checks)
    return ExitCode.DONE if fine else ExitCode.NOT_PASSED
