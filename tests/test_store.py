"""Every attempt is kept, two graders can write, and a bad database is explained."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from result_fakes import ENVIRONMENT, INFO, result

from harness.errors import UsageError
from harness.store import Store


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'harness.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with closing(Store.open(url)) as opened:
        yield opened


def test_a_result_comes_back_as_it_went_in(store: Store) -> None:
    kept = result(nickname="王小明 <b>", printed="x" * 1000, notes=("a note",))
    store.add(INFO, ENVIRONMENT, kept)
    (attempt,) = store.latest("hw")
    assert (attempt.result, attempt.assignment, attempt.environment) == (kept, INFO, ENVIRONMENT)
    assert attempt.graded_at.tzinfo is not None


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
    store.add(INFO, ENVIRONMENT, result("same"))
    store.add(INFO, ENVIRONMENT, result("timed out", status="timed_out", reason="slow"))
    store.add(INFO, ENVIRONMENT, result("ours", status="harness_error", reason="bug"))
    store.add(INFO, ENVIRONMENT, result("unreadable", status="rejected", reason="broken zip", digest=None))
    store.add(INFO, ENVIRONMENT, result("reverted"))
    newer = INFO.model_copy(update={"digest": "sha256:two"})
    store.add(newer, ENVIRONMENT, result("reverted"))
    unsafe = ENVIRONMENT.model_copy(update={"sandbox": "none"})
    store.add(INFO, unsafe, result("unsandboxed"))
    assert store.graded(INFO, ENVIRONMENT) == {"same": "sha256:same", "timed out": "sha256:timed out"}
    assert store.graded(newer, ENVIRONMENT) == {"reverted": "sha256:reverted"}
    assert store.graded(INFO, unsafe) == {"unsandboxed": "sha256:unsandboxed"}


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
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        kept = connection.execute("SELECT data FROM harness_weights ORDER BY attempt").fetchall()
    assert kept == [(b"second",), (b"bob's",), (b"another homework",)]


def test_a_store_from_before_weights_were_kept_has_none(store: Store, url: str) -> None:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        connection.execute("DROP TABLE harness_weights")
        connection.commit()
    with closing(Store.open(url, create=False)) as old:
        assert old.weights("hw") == {}
    with closing(Store.open(url)) as renewed:
        renewed.add(INFO, ENVIRONMENT, result("alice"), b"now")
        assert renewed.weights("hw") == {"alice": b"now"}


def test_sqlite_files_are_in_wal_mode(store: Store, url: str) -> None:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_store_of_a_newer_harness_is_refused(url: str) -> None:
    Store.open(url).close()
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        connection.execute("UPDATE harness_store SET value = '2'")
        connection.commit()
    for create in (True, False):
        with pytest.raises(UsageError, match="version 2, written by a newer harness"):
            Store.open(url, create=create)


def test_reading_makes_no_file(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match="no store at sqlite:///"):
        Store.open(url, create=False)
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
