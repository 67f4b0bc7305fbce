"""Define the store's tables, their version, and how attempts become rows and come back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import numpy as np
import sqlalchemy as sa
import zstandard

from harness.errors import UsageError
from harness.values.evaluation import Correct, Evaluation
from harness.values.results import AssignmentInfo, Attempt, DataInfo, Environment, Result, compact

STORE_VERSION = 4
# What only reports show of a result, and most of its size.
_DETAILS = ("curves", "confusion", "layers", "notes", "printed")
_BARE = {"submission": "", "status": "graded", "reason": None, "digest": None, "score": 0, "max_score": 0, "seconds": 0}
_UNKNOWN_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)

tables = sa.MetaData()
metadata = sa.Table(
    "harness_store",
    tables,
    sa.Column("key", sa.String(50), primary_key=True),
    sa.Column("value", sa.String(200), nullable=False),
)
attempts = sa.Table(
    "harness_attempts",
    tables,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    # ISO 8601 in UTC: SQLite would lose the zone of a DATETIME, and people read the file with other tools.
    sa.Column("graded_at", sa.String(40), nullable=False),
    sa.Column("assignment_id", sa.String(200), nullable=False),
    sa.Column("assignment_digest", sa.String(100), nullable=False),
    sa.Column("submission", sa.Text, nullable=False),
    sa.Column("submission_digest", sa.String(100)),
    sa.Column("status", sa.String(30), nullable=False),
    sa.Column("sandbox", sa.String(30), nullable=False),
    sa.Column("assignment", sa.Text, nullable=False),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("result", sa.Text, nullable=False),
    # Apart from the rest, so that a class is ranked without reading what only reports show. Since version 2.
    sa.Column("details", sa.Text),
    sa.Column("predictions", sa.LargeBinary),
    sa.Column("correct_public", sa.LargeBinary),
    sa.Column("correct_private", sa.LargeBinary),
    # What the result was made from, so that other rules judge it without measuring. Since version 3.
    sa.Column("parts", sa.Text),
    sa.Column("conditions", sa.String(100)),
    sa.Column("signature", sa.String(100)),
    sa.Index("harness_attempts_by_submission", "assignment_id", "submission", "number"),
    sqlite_autoincrement=True,  # a number is never used twice, not even after rows were deleted by hand
)

# The weights of a submission's newest attempt that has any, for comparisons across the class (`harness.store.weights`).
kept_weights = sa.Table(
    "harness_weights",
    tables,
    sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)

# The same of its sources (`harness.store.sources`). Since version 4.
kept_sources = sa.Table(
    "harness_sources",
    tables,
    sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)

# What one evaluator found, under a digest of all that decides it (`harness.grading.keys`).
evaluations = sa.Table(
    "harness_evaluations",
    tables,
    sa.Column("key", sa.String(100), primary_key=True),
    sa.Column("at", sa.String(40), nullable=False),
    sa.Column("evaluation", sa.Text, nullable=False),
    sa.Column("predictions", sa.LargeBinary),
    sa.Column("correct_public", sa.LargeBinary),
    sa.Column("correct_private", sa.LargeBinary),
)

# What running a hand-in's code once has given: its network as plain data (`harness.networks.intake`).
intakes = sa.Table(
    "harness_intakes",
    tables,
    sa.Column("key", sa.String(100), primary_key=True),
    sa.Column("said", sa.Text, nullable=False),
    sa.Column("tensors", sa.LargeBinary),
)

# Hand-ins that a grader works on, so that another one on the same store takes others (`harness.store.claims`).
claims = sa.Table(
    "harness_claims",
    tables,
    sa.Column("assignment_id", sa.String(200), primary_key=True),
    sa.Column("submission", sa.String(400), primary_key=True),
    sa.Column("holder", sa.String(400), nullable=False),
    # Seconds since 1970.
    sa.Column("until", sa.Float, nullable=False),
)


def _decisions(name: str, *texts: str) -> sa.Table:
    """A table to which decisions about an assignment are only ever added."""
    return sa.Table(
        name,
        tables,
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("assignment_id", sa.String(200), nullable=False),
        *(sa.Column(each, sa.Text, nullable=False) for each in texts),
        sqlite_autoincrement=True,
    )


overrides = _decisions("harness_overrides", "submission", "override")
# More time, excused, removed. Since version 4.
rulings = _decisions("harness_rulings", "who", "ruling")
# Regrade requests and their answers. Since version 4.
requests = _decisions("harness_requests", "who", "request")
events = _decisions("harness_events", "event")


@dataclass(frozen=True, slots=True)
class Basis:
    """What an attempt rests on.

    Attributes:
        parts: what each evaluator contributed, as `harness.values.measured.parts_to_json` writes it.
        conditions: under which grading the same files again would find the same; None where it might not.
        signature: of the hand-in's files (`harness.submission.signatures`), where it is known.
    """

    parts: str
    conditions: str | None
    signature: str | None = None


def found_version(connection: sa.Connection, shown: str, *, create: bool) -> int:
    """The version of an open store; a new one becomes the newest.

    Raises:
        UsageError: not a store, or one of a newer harness.
    """
    found = connection.scalar(sa.select(metadata.c.value).where(metadata.c.key == "version"))
    if found is None and create:
        connection.execute(metadata.insert().values(key="version", value=str(STORE_VERSION)))
        return STORE_VERSION
    if found is None or not found.isdigit():
        raise UsageError(f"store {shown}: its version cannot be read; was it written by this harness?")
    if int(found) > STORE_VERSION:
        raise UsageError(
            f"store {shown} has version {found}, written by a newer harness; this one knows version {STORE_VERSION}: "
            "upgrade compress-harness, or name another file with --store"
        )
    return int(found)


def bring_up_to_date(connection: sa.Connection) -> None:
    """Give an older store the tables and columns it lacks. Its rows stay as they are: `attempt_of` reads both kinds."""
    tables.create_all(connection)
    there = {column["name"] for column in sa.inspect(connection).get_columns(attempts.name)}
    for column in attempts.columns:
        if column.name not in there:
            kind = column.type.compile(connection.dialect)
            connection.execute(sa.text(f"ALTER TABLE {attempts.name} ADD COLUMN {column.name} {kind}"))
    connection.execute(metadata.update().where(metadata.c.key == "version").values(value=str(STORE_VERSION)))


def row_of(assignment: AssignmentInfo, environment: Environment, result: Result, basis: Basis | None) -> dict[str, Any]:
    """The columns of one attempt made now."""
    correct = result.correct
    document = result.to_document()
    details = {name: document.pop(name) for name in _DETAILS}
    return {
        "graded_at": datetime.now(UTC).isoformat(timespec="microseconds"),
        "assignment_id": assignment.id,
        "assignment_digest": assignment.digest,
        "submission": result.submission,
        "submission_digest": result.digest,
        "status": result.status,
        "sandbox": environment.sandbox,
        "assignment": assignment.model_dump_json(),
        "environment": environment.model_dump_json(),
        "result": compact({**document, "predictions": None}),
        "details": compact(details),
        "predictions": _packed(result.predictions),
        "correct_public": correct.public if correct else None,
        "correct_private": correct.private if correct else None,
        "parts": basis.parts if basis else None,
        "conditions": basis.conditions if basis else None,
        "signature": basis.signature if basis else None,
    }


def evaluation_row(key: str, at: datetime, evaluation: Evaluation) -> dict[str, Any]:
    """The columns of what one evaluator found."""
    correct = evaluation.correct
    return {
        "key": key,
        "at": at.isoformat(timespec="microseconds"),
        "evaluation": evaluation.model_dump_json(exclude={"predictions", "correct"}),
        "predictions": _packed(evaluation.predictions),
        "correct_public": correct.public if correct else None,
        "correct_private": correct.private if correct else None,
    }


def evaluation_of(row: sa.Row[Any]) -> tuple[datetime, Evaluation] | None:
    """When it was found, and what; None where the row is damaged: it is measured again."""
    try:
        found, at = Evaluation.model_validate_json(row.evaluation), datetime.fromisoformat(row.at)
        kept: dict[str, Any] = {"predictions": _unpacked(row.predictions)}
    except (ValueError, zstandard.ZstdError):
        return None
    if row.correct_public is not None:
        kept["correct"] = Correct(public=row.correct_public, private=row.correct_private)
    return at, found.model_copy(update=kept)


def attempt_of(row: sa.Row[Any]) -> Attempt:
    """An attempt from its row; without details or predictions where those columns were not read.

    A damaged row becomes an attempt that says so: one submission's row never hides those of a class.
    """
    try:
        return read_row(row)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the others can be read
        return Attempt(
            number=row.number,
            graded_at=_moment_of(row, otherwise=_UNKNOWN_MOMENT),
            assignment=assignment_of(row),
            environment=environment_of(row),
            result=_damaged(row, error),
        )


def unkeepable(result: Result, error: Exception) -> Result:
    """What is kept in place of a result that cannot be read back."""
    reason = f"what came of it cannot be stored and read back ({type(error).__name__})"
    return _ours(result.submission, result.digest, reason, "this is not the student's fault; please report it")


def _damaged(row: sa.Row[Any], error: Exception) -> Result:
    reason = f"row {row.number} of {attempts.name} in the store is damaged and cannot be read ({type(error).__name__})"
    return _ours(row.submission, row.submission_digest, reason, "grade this submission again, with --fresh")


def _ours(submission: str, digest: str | None, reason: str, hint: str) -> Result:
    kept = {**_BARE, "submission": submission, "digest": digest, "status": "harness_error"}
    return Result.model_validate({**kept, "reason": reason, "hint": hint})


def read_row(row: sa.Row[Any]) -> Attempt:
    """The attempt of a row that is in order.

    Raises:
        ValueError, TypeError, zstandard.ZstdError: it is damaged.
    """
    result = Result.model_validate_json(row.result)
    kept: dict[str, Any] = {}
    # Rows of version 1 have their details and predictions in the JSON.
    if (details := getattr(row, "details", None)) is not None:
        found = Result.model_validate({**_BARE, **json.loads(details)})
        kept |= {name: getattr(found, name) for name in _DETAILS}
    if (packed := getattr(row, "predictions", None)) is not None:
        kept["predictions"] = _unpacked(packed)
    if row.correct_public is not None:
        kept["correct"] = Correct(public=row.correct_public, private=row.correct_private)
    return Attempt(
        number=row.number,
        graded_at=_moment_of(row),
        assignment=_assignment_info(row.assignment),
        environment=_environment(row.environment),
        result=result.model_copy(update=kept),
        parts=row.parts or "",
    )


def assignment_of(row: sa.Row[Any]) -> AssignmentInfo:
    """What a row says of the assignment, or its columns where that is damaged."""
    try:
        return _assignment_info(row.assignment)
    except ValueError:
        unknown = DataInfo(id="unknown", digest="unknown", stand_in=False)
        return AssignmentInfo(id=row.assignment_id, digest=row.assignment_digest, data=unknown)


def environment_of(row: sa.Row[Any]) -> Environment:
    """What a row says of the environment; unknown where that is damaged."""
    try:
        return _environment(row.environment)
    except ValueError:
        unknown = dict.fromkeys(("harness", "python", "torch", "torchinfo"), "unknown")
        return Environment.model_validate({**unknown, "sandbox": row.sandbox})


def _moment_of(row: sa.Row[Any], otherwise: datetime | None = None) -> datetime:
    try:
        return datetime.fromisoformat(row.graded_at).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        if otherwise is None:
            raise
        return otherwise


@lru_cache(maxsize=64)
def _assignment_info(text: str) -> AssignmentInfo:
    # A class shares one: it is read once.
    return AssignmentInfo.model_validate_json(text)


@lru_cache(maxsize=64)
def _environment(text: str) -> Environment:
    return Environment.model_validate_json(text)


def _packed(classes: Sequence[int] | None) -> bytes | None:
    return None if classes is None else zstandard.compress(np.array(classes, dtype="<u4").tobytes())


def _unpacked(packed: bytes | None) -> tuple[int, ...] | None:
    return None if packed is None else tuple(np.frombuffer(zstandard.decompress(packed), dtype="<u4").tolist())
