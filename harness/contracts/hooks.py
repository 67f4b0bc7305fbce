"""Declare the hooks, all of one shape: no arguments, return an iterable of objects that have a `.name`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pluggy

from harness.contracts.evaluator import ClassEvaluator, Evaluator
from harness.contracts.executors import Executor
from harness.contracts.formats import Dataset, WeightFormat
from harness.contracts.publishing import Exporter, Writer

hookspec = pluggy.HookspecMarker("harness")


@hookspec
def harness_evaluators() -> Iterable[Evaluator[Any]]:  # type: ignore[empty-body]
    """Turn a student into checks, metrics and curves; an assignment names those it uses."""


@hookspec
def harness_class_evaluators() -> Iterable[ClassEvaluator[Any]]:  # type: ignore[empty-body]
    """Compare the submissions of a class; `[class_evaluators.<name>]` asks for it, `harness similarity` runs it."""


@hookspec
def harness_weight_formats() -> Iterable[WeightFormat]:  # type: ignore[empty-body]
    """Recognise and decode weights files; decoding happens in the sandbox only."""


@hookspec
def harness_datasets() -> Iterable[Dataset]:  # type: ignore[empty-body]
    """Read a kind of data folder; `[data.<name>] dataset = "…"` names it."""


@hookspec
def harness_writers() -> Iterable[Writer]:  # type: ignore[empty-body]
    """Render the leaderboard; `harness leaderboard --format NAME` names it."""


@hookspec
def harness_exporters() -> Iterable[Exporter]:  # type: ignore[empty-body]
    """Write points as another system imports them; `harness export --to NAME` names it."""


@hookspec
def harness_executors() -> Iterable[Executor]:  # type: ignore[empty-body]
    """Measure verified networks on other machines; `harness grade --executor NAME` names it."""


hookimpl = pluggy.HookimplMarker("harness")
