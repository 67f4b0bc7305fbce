"""A grading core that grades nothing: what the commands see of it, made up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from result_fakes import ENVIRONMENT, result

import harness.assignment.loading
import harness.data.data_sets
import harness.grading.environment
import harness.grading.first_look
import harness.grading.grader
import harness.grading.run
import harness.sandbox
import harness.submission.discovery
from harness.assignment.loading import Assignment
from harness.errors import SandboxUnavailable
from harness.grading.events import GradingEvents, Progress
from harness.submission.discovery import submission_id
from harness.submission.hand_in import Found, HandIn
from harness.submission.reading import Submission, read_submission
from harness.values.results import Environment, Result
from harness.values.rules import Limits

HW = "nycu-ds2023-hw2"


@dataclass
class FakeBox:
    """Reads hand-ins in this process; knows no weights format."""

    path: Path

    def read(self, hand_in: HandIn, _formats: list[str], _limits: Limits) -> Submission:
        return read_submission(hand_in, self.path, {})


@dataclass
class FakeSandbox:
    name: str

    def warm(self) -> None:
        pass

    def warm_reader(self) -> None:
        pass

    @contextmanager
    def box(self) -> Iterator[FakeBox]:
        with TemporaryDirectory() as folder:
            yield FakeBox(Path(folder))


@dataclass
class FakeGrading:
    """Outcomes by submission id; anyone else is graded and fine. An exception in their place is raised."""

    outcomes: dict[str, Result | BaseException] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    graded: list[str] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    sandbox_works: bool = True
    images_digest: str = "sha256:images"
    closed: bool = False
    left_out: list[str] = field(default_factory=list)

    def grade_all(
        self,
        assignment: Assignment,
        submissions: Sequence[HandIn],
        *,
        events: GradingEvents | None = None,
        **rest: Any,
    ) -> Iterator[Result]:
        self.calls.append(rest)
        events = events or GradingEvents()
        try:
            for name in (each.id for each in submissions):
                events.on_progress(Progress(name, "reading"))
                digest = self.digests.get(name, f"sha256:{name}")
                if not events.skip(name, digest):
                    self.graded.append(name)
                    outcome = self.outcomes.get(name, result(name))
                    if isinstance(outcome, BaseException):
                        raise outcome
                    events.on_progress(Progress(name, "accuracy"))
                    yield outcome.model_copy(update={"digest": digest})
                events.on_progress(Progress(name, ""))
        finally:
            self.closed = True

    def choose(self, name: str) -> FakeSandbox:
        if name != "none" and not self.sandbox_works:
            raise SandboxUnavailable("bubblewrap is missing: apt install bubblewrap")
        return FakeSandbox("none" if name == "none" else "bwrap")

    def for_check(self) -> FakeSandbox:
        return FakeSandbox("bwrap" if self.sandbox_works else "none")


@dataclass
class FakeDataSets:
    assignment: Assignment
    images_digest: str

    def signature(self, name: str) -> str:
        return self.images_digest

    def digest(self, name: str) -> str:
        return self.images_digest


def install(monkeypatch: pytest.MonkeyPatch, fake: FakeGrading) -> None:
    def environment(sandbox_name: str, device: str = "cpu") -> Environment:
        return ENVIRONMENT.model_copy(update={"sandbox": sandbox_name, "device": device})

    def discover(paths: Sequence[Path], *, mode: str = "auto") -> list[HandIn]:
        if mode == "single":
            return [HandIn(submission_id(path), path) for path in paths]
        return [HandIn(submission_id(each), each) for path in paths for each in sorted(path.iterdir())]

    def find(paths: Sequence[Path], *, mode: str = "auto") -> Found:
        return Found(tuple(discover(paths, mode=mode)), tuple(fake.left_out))

    monkeypatch.setattr(harness.grading.grader, "grade_all", fake.grade_all)
    monkeypatch.setattr(harness.grading.first_look, "first_look", lambda *_: None)
    monkeypatch.setattr(
        harness.grading.run, "file_signature", lambda paths: fake.digests.get(paths[0].name, paths[0].name)
    )
    monkeypatch.setattr(
        harness.data.data_sets,
        "DataSets",
        lambda assignment, _plugins, _audience: FakeDataSets(assignment, fake.images_digest),
    )
    monkeypatch.setattr(harness.grading.environment, "environment", environment)
    monkeypatch.setattr(harness.sandbox, "choose", fake.choose)
    monkeypatch.setattr(harness.sandbox, "for_check", fake.for_check)
    monkeypatch.setattr(harness.submission.discovery, "discover", discover)
    monkeypatch.setattr(harness.submission.discovery, "find", find)
