"""What a worker says after it has seen images stays with the instructor."""

from __future__ import annotations

from typing import Literal

import pytest

from harness.errors import SubmissionError
from harness.networks.session import WorkerSession
from harness.sandbox.process import Refusal
from harness.values.networks import Reply
from harness.worker.messages import CountMacs


class FakeWorker:
    """Answers with what it is told to; an exception is raised."""

    alive, printed = True, "printed\n"

    def __init__(self) -> None:
        self.answer: dict[str, object] | Exception = {"macs": 3}

    def ask(self, *_: object, **__: object) -> Reply:
        if isinstance(self.answer, Exception):
            raise self.answer
        return Reply(self.answer, {})

    def close(self) -> None:
        self.alive = False


@pytest.fixture
def workers() -> list[FakeWorker]:
    return []


@pytest.fixture
def session(workers: list[FakeWorker]) -> WorkerSession:
    def start() -> FakeWorker:
        workers.append(FakeWorker())
        return workers[-1]

    return WorkerSession(start, lambda _: None)  # type: ignore[arg-type]


def ask(session: WorkerSession, *, images: bool = False) -> int:
    request = CountMacs(variant=None)
    return session.ask(request, doing="running forward", seconds=1, descriptors=(0,) if images else ()).said.macs


@pytest.mark.parametrize("status", ["rejected", "crashed"])
def test_words_of_code_that_has_seen_images_are_kept_apart(
    session: WorkerSession, workers: list[FakeWorker], status: Literal["rejected", "crashed"]
) -> None:
    ask(session, images=True)
    workers[0].answer = Refusal(status, "PIXELS 1 2 3", "PIXELS")
    with pytest.raises(SubmissionError) as failed:
        ask(session)
    assert failed.value.status == status
    assert "PIXELS" not in f"{failed.value.reason} {failed.value.hint}"
    # Of crashes students are told nothing anyway, and why something was rejected they are.
    assert ("PIXELS" in failed.value.said) == (status == "crashed")
    assert "PIXELS" in session.printed


def test_words_of_code_that_has_seen_none_are_told(session: WorkerSession, workers: list[FakeWorker]) -> None:
    ask(session)
    workers[0].answer = Refusal("rejected", "the first layer takes 1 channel", "make it 3")
    with pytest.raises(SubmissionError, match="1 channel") as failed:
        ask(session)
    assert (failed.value.status, failed.value.hint) == ("rejected", "make it 3")


def test_our_own_words_are_told_in_any_case(session: WorkerSession, workers: list[FakeWorker]) -> None:
    ask(session, images=True)
    workers[0].answer = SubmissionError("timed_out", "stopped after 1 s while running forward")
    with pytest.raises(SubmissionError, match="stopped after 1 s"):
        ask(session)


def test_costs_are_told_by_a_worker_that_has_seen_no_image(session: WorkerSession, workers: list[FakeWorker]) -> None:
    ask(session)
    session.without_images()
    ask(session, images=True)
    assert len(workers) == 1
    session.without_images()
    ask(session)
    assert len(workers) == 2
    session.without_images()
    assert len(workers) == 2
