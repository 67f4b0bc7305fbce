"""`harness override`: set an instructor's word against the harness's, beside what it replaces."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import closing

import click

from harness.cli.options import assignment_argument, author_option, load_assignment, now, store_option
from harness.errors import UsageError
from harness.text import suggestion
from harness.vocabulary import STATUSES


@click.command()
@assignment_argument
@click.argument("submission", metavar="SUBMISSION_ID")
@store_option
@click.option("--score", type=float, help="The score, all points together.")
@click.option("--status", type=click.Choice(STATUSES), help="The status; whatever is not 'graded' has no rank.")
@click.option(
    "--check",
    "verdicts",
    multiple=True,
    metavar="NAME=passed|failed",
    help="The verdict of a check, such as one that could not be made; points follow from it.",
)
@click.option("--undo", is_flag=True, help="Take earlier overrides back.")
@click.option("--reason", required=True, help="Why; the instructor's report shows it.")
@author_option
def command(
    *,
    assignment_name: str,
    submission: str,
    store_url: str,
    score: float | None,
    status: str | None,
    verdicts: tuple[str, ...],
    undo: bool,
    reason: str,
    author: str,
) -> None:
    """Set the score, the status or a check's verdict of a submission.

    It holds for what was handed in and for what will be, until it is replaced or undone. Nothing is deleted: the values
    that were found stay in the store and in the instructor's report.
    """
    import math

    from harness.store.store import Store
    from harness.values.decisions import Override

    if undo == (score is not None or status is not None or bool(verdicts)):
        raise UsageError("--undo takes earlier overrides back: name either it, or --score, --status or --check")
    if score is not None and not math.isfinite(score):
        raise UsageError(f"--score {score}: not a number of points")
    if not reason.strip():
        raise UsageError("--reason: say why, in a few words")
    assignment, _ = load_assignment(assignment_name, {}, needs_data=False)
    checks = _verdicts(verdicts, assignment.measures.checks)
    with closing(Store.open(store_url, create=False)) as store:
        known = store.submissions(assignment.id)
        if submission not in known:
            hint = suggestion(submission, known)
            raise UsageError(f"{store.url} holds no results of {submission!r} for {assignment.id}{hint}")
        fields = {"at": now(), "author": author, "reason": reason, "status": status, "score": score}
        fields["checks"] = checks
        store.add_override(assignment.id, submission, Override.model_validate(fields))
    click.echo(f"{submission}: {'overrides are taken back' if undo else 'overridden'}", err=True)


def _verdicts(given: Sequence[str], known: Collection[str]) -> dict[str, str]:
    found = {}
    for each in given:
        name, _, verdict = each.partition("=")
        if name not in known:
            raise UsageError(f"--check {each}: there is no check {name!r}{suggestion(name, known)}")
        if verdict not in {"passed", "failed"}:
            raise UsageError(f"--check {each}: write {name}=passed or {name}=failed")
        found[name] = verdict
    return found
