"""Every attempt is kept, two graders can write, and a bad database is explained."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from postgresql import Cluster
from result_fakes import ENVIRONMENT, INFO, VERIFIED, result

from harness.api import Correct, Evaluation, Metric
from harness.errors import UsageError
from harness.store.store import Store
from harness.store.tables import Basis
from harness.values.decisions import Event, Override, Ruling
from harness.values.networks import Verification


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'harness.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.url()


def changed(url: str, statement: str) -> list[Any]:
    """Run SQL beside the store, and return the rows if there are any."""
    engine = sa.create_engine(url)
    with closing(engine.raw_connection()) as connection:
        cursor = connection.cursor()
        cursor.execute(statement)
        rows = cursor.fetchall() if cursor.description else []
        connection.commit()
    engine.dispose()
    return [tuple(row) for row in rows]


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with closing(Store.open(url)) as opened:
        yield opened


def test_a_result_comes_back_as_it_went_in(store: Store) -> None:
    correct = Correct(public=b"\x00\xff\x80", private=b"\x01")
    kept = result(
        nickname="王小明 <b>", printed="x" * 1000, notes=("a note",), correct=correct, predictions=(9, 0, 70000)
    )
    store.add(INFO, ENVIRONMENT, kept)
    (attempt,) = store.latest("hw", depth="everything")
    assert (attempt.result, attempt.assignment, attempt.environment) == (kept, INFO, ENVIRONMENT)
    assert attempt.graded_at.tzinfo is not None
    (detailed,) = store.latest("hw")
    assert detailed.result == kept.model_copy(update={"predictions": None})
    (brief,) = store.latest("hw", depth="brief")
    left_out = {"predictions": None, "curves": (), "confusion": None, "layers": (), "notes": (), "printed": ""}
    assert brief.result == kept.model_copy(update=left_out)
    assert store.history("hw", "alice") == (attempt,)


def test_nothing_is_overwritten_and_the_newest_is_latest(store: Store) -> None:
    for accuracy in (0.5, 0.9, 0.7):
        store.add(INFO, ENVIRONMENT, result("alice", accuracy))
    store.add(INFO, ENVIRONMENT, result("bob", 0.1))
    store.add(INFO.model_copy(update={"id": "other"}), ENVIRONMENT, result("alice", 0.2))
    history = store.history("hw", "alice")
    assert [each.result.metrics["accuracy"].value for each in history] == [0.5, 0.9, 0.7]
    latest = {each.result.submission: each.result.metrics["accuracy"].value for each in store.latest("hw")}
    assert latest == {"alice": 0.7, "bob": 0.1}
    assert store.submissions("hw") == ("alice", "bob")
    assert store.latest("nothing") == ()


def test_a_result_is_on_disk_as_soon_as_it_is_added(store: Store, url: str) -> None:
    store.add(INFO, ENVIRONMENT, result())
    with closing(Store.open(url, create=False)) as other:
        assert len(other.latest("hw")) == 1


def test_resuming_skips_only_what_is_unchanged(store: Store) -> None:
    store.add(INFO, ENVIRONMENT, result("same"), basis=Basis("", "graded", "files"))
    store.add(
        INFO, ENVIRONMENT, result("timed out", status="timed_out", reason="slow"), basis=Basis("", "ended", "files")
    )
    store.add(INFO, ENVIRONMENT, result("ours", status="harness_error", reason="bug"), basis=Basis("", None, "files"))
    store.add(
        INFO, ENVIRONMENT, result("unreadable", status="rejected", digest=None), basis=Basis("", "ended", "files")
    )
    store.add(INFO, ENVIRONMENT, result("reverted"), basis=Basis("", "graded", "files"))
    store.add(INFO, ENVIRONMENT, result("reverted"), basis=Basis("", "other rules", "files"))
    assert store.graded("hw", {"graded", "ended"}) == {
        "same": ("sha256:same", "files"),
        "timed out": ("sha256:timed out", "files"),
    }
    assert store.graded("hw", {"other rules"}) == {"reverted": ("sha256:reverted", "files")}
    assert store.graded("other", {"graded"}) == {}


def test_evaluations_and_intakes_come_back_as_they_were_kept(store: Store) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    found = Evaluation(
        metrics={"accuracy": Metric(value=0.1 + 0.2, unit="fraction", higher_is_better=True)},
        evidence={"counts": [1, None, "x"]},
        predictions=(3, 0, 9),
        correct=Correct(public=b"\x80", private=b"\x00\xff"),
        notes=("a note",),
    )
    store.keep_evaluation("one", at, Evaluation())
    store.keep_evaluation("one", at, found)
    store.keep_evaluation("two", at, Evaluation())
    assert store.evaluations(["one", "two", "three"]) == {"one": (at, found), "two": (at, Evaluation())}
    assert store.intake("key") is None
    store.keep_intake("key", "said", b"tensors")
    store.keep_intake("bare", "said", None)
    assert (store.intake("key"), store.intake("bare")) == (("said", b"tensors"), ("said", None))


def test_two_graders_write_at_once(url: str) -> None:
    errors: list[BaseException] = []

    def grade(name: str) -> None:
        try:
            with closing(Store.open(url)) as store:
                for number in range(15):
                    store.add(INFO, ENVIRONMENT, result(f"{name}-{number}"))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=grade, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with closing(Store.open(url, create=False)) as store:
        assert len(store.latest("hw")) == 60


def test_weights_of_the_newest_attempt_are_kept_and_no_others(store: Store, url: str) -> None:
    store.add(INFO, ENVIRONMENT, result("alice"), b"first")
    store.add(INFO, ENVIRONMENT, result("alice"), b"second")
    store.add(INFO, ENVIRONMENT, result("bob"), b"bob's")
    store.add(INFO, ENVIRONMENT, result("carol"))
    store.add(INFO.model_copy(update={"id": "other"}), ENVIRONMENT, result("alice"), b"another homework")
    assert store.weights("hw") == {"alice": b"second", "bob": b"bob's"}
    assert store.weights("other") == {"alice": b"another homework"}
    # A newer attempt without weights, such as one that could not be used, has none to compare.
    store.add(INFO, ENVIRONMENT, result("bob", status="rejected", reason="no source"))
    assert store.weights("hw") == {"alice": b"second"}
    kept = changed(url, "SELECT data FROM harness_weights ORDER BY attempt")
    assert kept == [(b"second",), (b"bob's",), (b"another homework",)]


def test_sqlite_files_are_in_wal_mode(sqlite_url: str) -> None:
    Store.open(sqlite_url).close()
    assert changed(sqlite_url, "PRAGMA journal_mode") == [("wal",)]


def test_a_store_of_a_newer_harness_is_refused(url: str) -> None:
    Store.open(url).close()
    changed(url, "UPDATE harness_store SET value = '99' WHERE key = 'version'")
    for create in (True, False):
        with pytest.raises(UsageError, match="version 99, written by a newer harness"):
            Store.open(url, create=create)


def test_attempts_are_counted_by_what_was_handed_in(store: Store) -> None:
    for digest in ("sha256:a", "sha256:a", "sha256:b"):
        store.add(INFO, ENVIRONMENT, result("alice", digest=digest))
    store.add(INFO, ENVIRONMENT, result("bob", status="rejected", reason="broken zip", digest=None))
    assert store.counts("hw") == {"alice": 2, "bob": 1}
    assert store.counts("other") == {}


VERSION_1 = """
CREATE TABLE harness_store ("key" VARCHAR(50) NOT NULL, value VARCHAR(200) NOT NULL, PRIMARY KEY ("key"));
CREATE TABLE harness_attempts (number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, graded_at VARCHAR(40) NOT NULL,
    assignment_id VARCHAR(200) NOT NULL, assignment_digest VARCHAR(100) NOT NULL, submission TEXT NOT NULL,
    submission_digest VARCHAR(100), status VARCHAR(30) NOT NULL, sandbox VARCHAR(30) NOT NULL,
    assignment TEXT NOT NULL, environment TEXT NOT NULL, result TEXT NOT NULL);
INSERT INTO harness_store VALUES ('version', '1');
"""


def old_store(url: str) -> None:
    """As harness 0.1.0 wrote it: predictions stand in the JSON, data has no digest."""
    outcome = result()
    text = outcome.model_dump(mode="json", exclude={"confusion"}) | {"predictions": [7, 8]}
    info = INFO.model_dump(mode="json")
    del info["data"]["digest"]
    row = ("2026-01-02T03:04:05+00:00", "hw", "sha256:one", "alice", outcome.digest, "graded", "bwrap")
    postgresql = url.startswith("postgresql")
    for statement in filter(str.strip, VERSION_1.split(";")):
        serial = statement.replace("INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT", "SERIAL PRIMARY KEY")
        changed(url, serial if postgresql else statement)
    cells = (*row, json.dumps(info), ENVIRONMENT.model_dump_json(), json.dumps(text))
    values = ", ".join("'" + str(cell).replace("'", "''") + "'" for cell in cells)
    names = "graded_at, assignment_id, assignment_digest, submission, submission_digest, status, sandbox"
    changed(url, f"INSERT INTO harness_attempts ({names}, assignment, environment, result) VALUES ({values})")


@pytest.mark.parametrize("create", [True, False])
def test_a_store_of_version_1_is_brought_up_to_date_and_nothing_is_lost(url: str, create: bool) -> None:
    old_store(url)
    with closing(Store.open(url, create=create)) as store:
        (old,) = store.latest("hw")
        assert (old.result.predictions, old.result.correct, old.result.score) == ((7, 8), None, 3)
        assert (old.assignment, old.environment) == (INFO, ENVIRONMENT)
        assert store.weights("hw") == {}
        store.add(INFO, ENVIRONMENT, result(predictions=(5,)), b"weights")
    with closing(Store.open(url, create=False)) as store:
        assert [each.result.predictions for each in store.history("hw", "alice")] == [(7, 8), (5,)]
        assert store.weights("hw") == {"alice": b"weights"}


VERSION_3 = (
    VERSION_1.replace("'1'", "'3'").replace(
        "result TEXT NOT NULL)",
        "result TEXT NOT NULL, details TEXT, predictions BLOB, correct_public BLOB, correct_private BLOB, parts TEXT,"
        " conditions VARCHAR(100), signature VARCHAR(100))",
    )
    + """
CREATE TABLE harness_weights (attempt INTEGER NOT NULL PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE harness_overrides (number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, assignment_id VARCHAR(200) NOT NULL,
    submission TEXT NOT NULL, override TEXT NOT NULL);
CREATE TABLE harness_events (number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, assignment_id VARCHAR(200) NOT NULL,
    event TEXT NOT NULL);
CREATE TABLE harness_evaluations ("key" VARCHAR(100) NOT NULL PRIMARY KEY, at VARCHAR(40) NOT NULL,
    evaluation TEXT NOT NULL, predictions BLOB, correct_public BLOB, correct_private BLOB);
CREATE TABLE harness_intakes ("key" VARCHAR(100) NOT NULL PRIMARY KEY, said TEXT NOT NULL, tensors BLOB);
INSERT INTO harness_intakes VALUES ('k', '{"network": "sha256:net"}', NULL);
INSERT INTO harness_overrides VALUES (1, 'hw', 'alice',
    '{"at": "2026-01-02T03:04:05Z", "author": "TA", "reason": "seen", "score": 4}');
"""
)


def test_a_store_of_version_3_is_brought_up_to_date_and_nothing_is_lost(sqlite_url: str) -> None:
    """Its tables as SQL, written down from what version 3 made."""
    outcome, details = result().model_dump(mode="json"), ("curves", "confusion", "layers", "notes", "printed")
    beside = {name: outcome.pop(name) for name in details} | {"printed": "said in its time"}
    del outcome["points_possible"]
    for statement in filter(str.strip, VERSION_3.split(";")):
        changed(sqlite_url, statement)
    row = ("2026-01-02T03:04:05+00:00", "hw", "sha256:one", "alice", outcome["digest"], "graded", "bwrap")
    cells = (*row, INFO.model_dump_json(), ENVIRONMENT.model_dump_json(), json.dumps(outcome), json.dumps(beside))
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection:
        names = "graded_at, assignment_id, assignment_digest, submission, submission_digest, status, sandbox"
        marks = ", ".join("?" * len(cells))
        connection.execute(
            f"INSERT INTO harness_attempts ({names}, assignment, environment, result, details) VALUES ({marks})",
            cells,
        )
        connection.commit()
    with closing(Store.open(sqlite_url, create=False)) as store:
        (old,) = store.latest("hw")
        assert (old.result.score, old.result.printed, old.result.curves) == (3, "said in its time", result().curves)
        ((who, override),) = store.decisions("hw").overrides()
        assert (who, override.score) == ("alice", 4)
        assert store.intake("k") == ('{"network": "sha256:net"}', None)
        ruling = Ruling(at=datetime(2026, 2, 1, tzinfo=UTC), author="TA", reason="ill", kind="excused")
        store.decisions("hw").add("alice", ruling)
        store.add(INFO, ENVIRONMENT, result(), b"weights", sources=b"sources")
    with closing(Store.open(sqlite_url, create=False)) as store:
        assert store.decisions("hw").rulings() == (("alice", ruling),)
        assert (store.weights("hw"), store.sources("hw")) == ({"alice": b"weights"}, {"alice": b"sources"})
        assert len(store.history("hw", "alice")) == 2
    assert changed(sqlite_url, "SELECT value FROM harness_store WHERE key = 'version'") == [("4",)]


def test_forgetting_takes_what_was_kept_of_code_and_networks_and_of_nobody_else(store: Store) -> None:
    unverified = Verification(verified=False, reason="it decides by values")
    store.add(INFO, ENVIRONMENT, result("alice", network=VERIFIED), b"hers", sources=b"hers")
    store.add(INFO, ENVIRONMENT, result("alice", digest="sha256:later", network=unverified))
    store.add(INFO, ENVIRONMENT, result("bob", network=VERIFIED.model_copy(update={"digest": "sha256:bob's"})), b"his")
    # An older version said nothing of files; of what is not verified there is no digest of a network.
    said = {"by network": VERIFIED.digest, "by files": "sha256:later", "his": "sha256:bob's"}
    for key, digest in said.items():
        store.keep_intake(key, json.dumps({"of": digest, "printed": "HERS"}), b"tensors")
    store.keep_evaluation("measured", datetime(2026, 1, 1, tzinfo=UTC), Evaluation())
    store.decisions("hw").add("alice", Override(at=datetime(2026, 2, 1, tzinfo=UTC), author="TA", reason="x", score=1))
    assert store.decisions("hw").forget("alice") == 2
    assert {key for key in said if store.intake(key) is not None} == {"his"}
    assert (store.weights("hw"), store.sources("hw")) == ({"bob": b"his"}, {})
    assert store.history("hw", "alice") == store.decisions("hw").overrides() == ()
    assert set(store.evaluations(["measured"])) == {"measured"}


def test_an_old_store_that_cannot_be_written_is_named(tmp_path: Path, sqlite_url: str) -> None:
    old_store(sqlite_url)
    with pytest.raises(UsageError, match="readonly"):
        Store.open(f"sqlite:///file:{tmp_path / 'harness.db'}?mode=ro&uri=true", create=False)


def test_what_was_decided_is_kept_in_its_order(store: Store) -> None:
    moment = datetime(2026, 2, 1, 12, tzinfo=timezone(timedelta(hours=8)))
    first = Override(at=moment, author="Dr. Li", reason="王 \x00\x1b", score=1.5)
    second = Override(at=moment, author="TA", reason="again", status="rejected")
    store.decisions("hw").add("alice", first)
    store.decisions("other").add("alice", first)
    store.decisions("hw").add("alice", second)
    assert store.decisions("hw").overrides() == (("alice", first), ("alice", second))
    frozen = Event(at=moment, author="TA", kind="frozen", moment=moment)
    store.decisions("hw").add_event(frozen)
    store.decisions("hw").add_event(Event(at=moment, author="TA", kind="thawed"))
    assert [each.kind for each in store.decisions("hw").events()] == ["frozen", "thawed"]
    assert store.decisions("hw").events()[0] == frozen
    assert store.decisions("other").events() == ()


def test_a_store_has_secrets_of_its_own(store: Store, sqlite_url: str) -> None:
    assert store.secret("a") == store.secret("a") != store.secret("b")
    with closing(Store.open(f"{sqlite_url}.another")) as other:
        assert other.secret("a") != store.secret("a")


def test_many_processes_may_start_on_an_empty_database(url: str) -> None:
    errors: list[BaseException] = []

    def start() -> None:
        try:
            Store.open(url).close()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_names_of_any_alphabet_come_back(store: Store) -> None:
    names = sorted(
        ["王小明", "Ünï Çødé", "😀", "a'; DROP TABLE harness_attempts; --", "x" * 5000, "\u202eabc", "%s %(x)s"]
    )
    for name in names:
        store.add(
            INFO,
            ENVIRONMENT,
            result(name, nickname=name, digest="d", printed="\x00\ud800 is no character", notes=(name,)),
        )
    assert list(store.submissions("hw")) == names
    assert [each.result.nickname for each in store.latest("hw")] == names
    assert store.latest("hw")[0].result.printed.startswith("\x00")


def test_a_postgresql_that_does_not_answer_is_explained(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"store postgresql\+psycopg://me:\*\*\*@/db.* cannot be used"):
        Store.open(f"postgresql+psycopg://me:s3cret@/db?host={tmp_path}")


def test_reading_makes_no_file(tmp_path: Path, sqlite_url: str) -> None:
    with pytest.raises(UsageError, match="no store at sqlite:///"):
        Store.open(sqlite_url, create=False)
    assert list(tmp_path.iterdir()) == []


def test_another_program_s_database_is_no_store(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE things (x)")
    with pytest.raises(UsageError, match="holds no results"):
        Store.open(f"sqlite:///{tmp_path / 'other.db'}", create=False)


def test_a_corrupt_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "broken.db"
    file.write_bytes(b"this is not a database, " * 100)
    for create in (True, False):
        with pytest.raises(UsageError, match=r"broken\.db cannot be used: file is not a database"):
            Store.open(f"sqlite:///{file}", create=create)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("results.db", "did you mean sqlite:///results.db"),
        ("", "not a database URL"),
        ("nosuch://x/y", "no driver"),
        ("sqlite:////no/such/folder/x.db", "unable to open database file"),
    ],
)
def test_bad_urls_are_usage_errors(url: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Store.open(url)


def test_a_password_is_never_shown() -> None:
    with pytest.raises(UsageError) as caught:
        Store.open("nosuch://user:s3cret@host/db")
    assert "s3cret" not in str(caught.value)


def test_what_cannot_be_read_back_is_kept_as_our_own_failure(sqlite_url: str) -> None:
    """Half a character can be written as JSON and not read again."""
    with closing(Store.open(sqlite_url)) as store:
        store.add(INFO, ENVIRONMENT, result("before"))
        poison = result("poison", reason="bad \ud800 reason", digest="sha256:p")
        kept = store.add(INFO, ENVIRONMENT, poison, basis=Basis("", "graded"))
        endless = result("endless").model_copy(update={"score": float("nan")})
        assert store.add(INFO, ENVIRONMENT, endless).status == "harness_error"
        assert (kept.status, kept.digest) == ("harness_error", "sha256:p")
        found = {each.result.submission: each.result.status for each in store.latest("hw")}
        assert found == {"before": "graded", "poison": "harness_error", "endless": "harness_error"}
        assert store.graded("hw", {"graded"}) == {}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("result", '{"submission": "bob"'),
        ("result", '{"reason": "\\ud800"}'),
        ("details", "[]"),
        ("graded_at", "9999-12-31T23:59:59-14:00"),
        ("graded_at", "yesterday"),
        ("assignment", "?"),
        ("environment", "{}"),
        ("predictions", "no zstd"),
    ],
)
def test_a_damaged_row_is_an_entry_that_says_so(sqlite_url: str, column: str, value: str) -> None:
    with closing(Store.open(sqlite_url)) as store:
        store.add(INFO, ENVIRONMENT, result("bob", predictions=(1, 2), correct=Correct(public=b"\x01", private=b"")))
        store.add(INFO, ENVIRONMENT, result("carol"))
        literal = value.replace("'", "''")
        changed(sqlite_url, f"UPDATE harness_attempts SET {column} = '{literal}' WHERE submission = 'bob'")
        bob, carol = (each.result for each in store.latest("hw", depth="everything"))
        assert carol == result("carol")
        assert (bob.submission, bob.status) == ("bob", "harness_error")
        assert "damaged" in str(bob.reason)
        assert "--fresh" in str(bob.hint)
        assert store.history("hw", "bob")[0].result.status == "harness_error"


def test_a_damaged_decision_is_named(sqlite_url: str) -> None:
    with closing(Store.open(sqlite_url)) as store:
        store.decisions("hw").add("bob", Override(at=datetime.now(timezone(timedelta(0))), author="a", reason="b"))
        changed(sqlite_url, "UPDATE harness_overrides SET override = '{'")
        with pytest.raises(UsageError, match="row 1 of harness_overrides is damaged"):
            store.decisions("hw").overrides()


def test_a_store_that_cannot_be_written_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As from a read-only mount; the administrator's rights are put aside."""
    with closing(Store.open(f"sqlite:///{tmp_path / 'a b.db'}")) as store:
        store.add(INFO, ENVIRONMENT, result("bob"))
    url = f"sqlite:///{tmp_path / 'a b.db'}"
    before = sorted(each.name for each in tmp_path.iterdir())
    monkeypatch.setattr("os.access", lambda *_: False)
    with closing(Store.open(url, create=False)) as store:
        assert store.submissions("hw") == ("bob",)
        with pytest.raises(UsageError, match="readonly"):
            store.add(INFO, ENVIRONMENT, result("carol"))
    assert sorted(each.name for each in tmp_path.iterdir()) == before
