"""Measure verified networks on this machine, or on the processes of a Dask cluster (https://distributed.dask.org)."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from harness.api import Cancelled, Crew, Executor, Unreachable, UsageError, hookimpl

if TYPE_CHECKING:
    from distributed import Client

    Future = Any  # of distributed: generic in some versions, and not in others

SharedT = TypeVar("SharedT")
TaskT = TypeVar("TaskT")
FoundT = TypeVar("FoundT")

_TIMES = 3
_FIRST_WORKER_SECONDS = 120
_OTHER_WORKER_SECONDS = 20
_LOOK_UP_SECONDS = 0.1
_SETTINGS = {
    # Tasks are whole networks; what is large for them all is sent apart.
    "distributed.admin.large-graph-warning-threshold": "1GiB",
    "distributed.scheduler.allowed-failures": _TIMES,
}


class Local:
    """The grader itself, in processes on this machine."""

    name = "local"

    def crew(self, *, jobs: int, scheduler: str | None) -> AbstractContextManager[Crew | None]:  # noqa: ARG002
        if scheduler is not None:
            raise UsageError(f"--scheduler {scheduler} is for --executor dask")
        return nullcontext()


class Dask:
    """Workers of a Dask cluster that runs already, or of one on this machine that is started."""

    name = "dask"

    @contextmanager
    def crew(self, *, jobs: int, scheduler: str | None) -> Iterator[Crew | None]:
        try:
            import cryptography  # noqa: F401 - a cluster of our own speaks TLS
            import dask
            import distributed
        except ImportError as error:
            raise UsageError(
                f"--executor dask: {error.name} is not installed: pip install 'compress-harness[dask]'"
            ) from error
        with ExitStack() as stack:
            stack.enter_context(dask.config.set(_SETTINGS))
            if scheduler is None:
                scheduler, security = stack.enter_context(_started(jobs))
            else:
                security = None
            try:
                client = distributed.Client(scheduler, security=security, set_as_default=False)
                stack.enter_context(client)
                client.wait_for_workers(1, timeout=_FIRST_WORKER_SECONDS)
            except (OSError, ValueError, TimeoutError) as error:
                raise UsageError(
                    f"--executor dask: the scheduler at {scheduler} has no workers for us: {error}; is it running, "
                    "and does --scheduler give its address, such as tcp://10.0.0.1:8786?"
                ) from error
            yield _Workers(client)


class _Workers:
    """See `harness.api.Crew`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._sent: dict[int, tuple[Any, Future]] = {}
        self._patience_seconds: float = _OTHER_WORKER_SECONDS
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        threads: dict[str, int] = self._client.nthreads()
        return max(1, sum(threads.values()))

    def ask(
        self, work: Callable[[SharedT, TaskT], FoundT], shared: SharedT, task: TaskT, stopping: threading.Event
    ) -> FoundT:
        lost: Exception | None = None
        for _ in range(_TIMES):
            sent = None
            try:
                sent = self._shared(shared, stopping)
                answer: FoundT = self._answer(self._client.submit(work, sent, task, pure=False), stopping)
            except (Cancelled, Unreachable):
                raise
            # Whatever failed there is tried again, and then here, where it is seen what it was.
            except Exception as error:  # noqa: BLE001
                lost = error
                self._forget(shared, sent)
            else:
                return answer
        raise Unreachable(f"{type(lost).__name__}: {lost}") from lost

    def _shared(self, shared: object, stopping: threading.Event) -> Future:
        """A copy for every worker; those who come later get it from their neighbours."""
        with self._lock:
            if id(shared) not in self._sent:
                self._find_workers(stopping)
                (sent,) = self._client.scatter([shared], broadcast=True, hash=False)
                self._sent[id(shared)] = shared, sent  # with it, so that its number is no other's
            return self._sent[id(shared)][1]

    def _find_workers(self, stopping: threading.Event) -> None:
        """Wait for one, if all have gone. Nobody waits a second time before one has come."""
        end = time.monotonic() + self._patience_seconds
        while not self._client.nthreads():
            if stopping.wait(_LOOK_UP_SECONDS):
                raise Cancelled("the run was stopped")
            if time.monotonic() > end:
                self._patience_seconds = 0
                raise Unreachable("all workers are gone")
        self._patience_seconds = _OTHER_WORKER_SECONDS

    def _forget(self, shared: object, sent: Future | None) -> None:
        """Send it again next time, if it was lost with those who had it."""
        with self._lock:
            known = self._sent.get(id(shared))
            if known is not None and known[1] is sent and sent.status != "finished":
                del self._sent[id(shared)]

    def _answer(self, future: Future, stopping: threading.Event) -> Any:
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        try:
            while not done.wait(_LOOK_UP_SECONDS):
                if stopping.is_set():
                    future.cancel()
                    raise Cancelled("the run was stopped")
            return future.result()
        finally:
            future.release()  # whoever still holds it: the scheduler keeps no task and no answer


@contextmanager
def _started(jobs: int) -> Iterator[tuple[str, Any]]:
    """A cluster on this machine: its address, and what it takes to be let in, for nobody else here shall be."""
    from distributed import LocalCluster
    from distributed.security import Security

    security = Security.temporary()
    with LocalCluster(
        n_workers=jobs,
        threads_per_worker=1,
        memory_limit=0,  # networks are measured in processes of their own, which have limits
        dashboard_address=None,
        silence_logs=logging.CRITICAL,
        protocol="tls://",
        preload=[__name__],
        security=security,
    ) as cluster:
        yield cluster.scheduler_address, security


def dask_setup(_: object) -> None:
    """Called in each worker that we start: Ctrl-C at the terminal is for the grader, which then ends its workers."""
    os.setpgrp()


@hookimpl
def harness_executors() -> Iterable[Executor]:
    return [Local(), Dask()]
