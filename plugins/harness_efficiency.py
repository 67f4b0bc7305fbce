"""Measure what a forward pass costs: multiply-accumulates, and seconds on this machine's CPU.

MACs are half of what `torch.utils.flop_counter.FlopCounterMode` counts, on meta tensors, so attention and recurrent
layers are counted too; torchinfo's figure stands beside them. Seconds are shown and nothing else: they depend on the
machine and on what else it does, so no shipped assignment ranks by them or gives points for them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

from harness_curves.masks import Masks, prunable, pruned
from harness_curves.points import Ruler, Shrunk
from harness_sizes.canonical import canonical, state_bytes
from pydantic import Field

from harness.api import (
    Check,
    CheckSpec,
    Context,
    Evaluation,
    Evaluator,
    Metric,
    MetricSpec,
    Network,
    Options,
    PositiveInt,
    Reads,
    Row,
    Student,
    SubmissionError,
    Table,
    hookimpl,
)
from harness.api.weights import nonzero_elements

_NAME = "efficiency"
_BATCHES = (1, 64)
_OUTSIDE_BATCHES = 8
_OUTSIDE_RUNS = 3
_ROUNDS = 6
_COLUMNS = ("parameters", "canonical bytes", "MACs", *(f"ms at batch {size}" for size in _BATCHES), "accuracy")

MACS = MetricSpec(
    "macs",
    unit="multiply-accumulates",
    higher_is_better=False,
    about="weights",
    on_board="wide",
    title="multiply-accumulates",
)
MACS_TORCHINFO = MetricSpec(
    "macs_torchinfo",
    unit="multiply-accumulates",
    higher_is_better=False,
    about="weights",
    title="multiply-accumulates (torchinfo)",
)
LATENCIES = tuple(
    MetricSpec(
        f"latency_{size}{kind}_ms", unit="ms", higher_is_better=False, title=f"latency of a batch of {size}{said}"
    )
    for size in _BATCHES
    for kind, said in {"": "", "_iqr": ", interquartile range", "_outside": ", from outside"}.items()
)
SPEEDUPS = {
    kind: MetricSpec(
        f"speedup_{kind}", unit="times", higher_is_better=True, about="weights", title=f"speed-up by {kind} pruning"
    )
    for kind in ("unstructured", "structured")
}


class EfficiencyOptions(Options):
    """`[evaluators.efficiency]`."""

    latency: bool = False
    """Whether forward passes of 1 and of 64 images are timed."""
    seconds: Annotated[float, Field(gt=0, le=60)] = 0.5
    """Time each of them for at least this long."""
    compare_pruning: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Also prune this share, once of the weights and once of every layer's channels, and show a table of what each
    brings; the figures answer whether structured or unstructured pruning makes a network faster."""
    images: PositiveInt | None = None
    """Measure the table's accuracies on this many of the graded images, evenly spaced; absent: on all."""


class Efficiency:
    """Counts multiply-accumulates (`macs`) and, on request, measures the time of a forward pass.

    The worker measures it with torch.utils.benchmark: `latency_1_ms` and `latency_64_ms` are medians, `…_iqr_ms` the
    distance of the quartiles. The worker runs student code, so these are claims; `latency_1_outside_ms` and
    `latency_64_outside_ms` are what passed on the grader's clock per batch of real images, everything around the
    network included, and cannot be less.
    """

    name = _NAME
    Options = EfficiencyOptions
    metrics = (MACS, MACS_TORCHINFO, *LATENCIES, *SPEEDUPS.values())
    checks = (CheckSpec(_NAME),)
    reads: frozenset[Reads] = frozenset({"network", "images", "hand_in"})

    def evaluate(self, student: Student, context: Context[EfficiencyOptions]) -> Evaluation:
        options = context.options
        metrics: dict[str, Metric] = {}
        problems: list[str] = []
        try:
            metrics[MACS.name] = MACS.of(student.macs())
            if student.facts.mult_adds is not None:
                metrics[MACS_TORCHINFO.name] = MACS_TORCHINFO.of(student.facts.mult_adds)
            if options.latency:
                metrics |= _latencies(student, context)
        except SubmissionError as error:
            problems.append(str(error))
        tables: tuple[Table, ...] = ()
        if options.compare_pruning is not None:
            comparison = _compared(student, context, options.compare_pruning)
            metrics |= comparison.metrics
            problems += comparison.problems
            tables = comparison.tables
        checks = (Check.could_not_check(_NAME, "; ".join(dict.fromkeys(problems))),) if problems else ()
        return Evaluation(metrics=metrics, checks=checks, tables=tables)


def _latencies(student: Student, context: Context[EfficiencyOptions]) -> dict[str, Metric]:
    found = {}
    for size in _BATCHES:
        claimed = student.latency(batch_size=size, seconds=context.options.seconds)
        found[f"latency_{size}_ms"] = _milliseconds(claimed.median)
        found[f"latency_{size}_iqr_ms"] = _milliseconds(claimed.iqr)
        found[f"latency_{size}_outside_ms"] = _milliseconds(_outside(student, context, size))
    return found


def _outside(student: Student, context: Context[EfficiencyOptions], batch_size: int) -> float:
    """Seconds per batch on the grader's clock."""
    ruler = Ruler.of(student, context, batch_size * _OUTSIDE_BATCHES)
    images = ruler.examples.images
    batches = -(-len(images.pixels) // batch_size)
    taken = []
    for _ in range(_OUTSIDE_RUNS):
        started = time.perf_counter()
        student.logits(images, batch_size=batch_size)
        taken.append((time.perf_counter() - started) / batches)
    # Median, not mean: the first pass shares the images.
    return statistics.median(taken)


_Times = dict[int, list[float]]


@dataclass(frozen=True)
class _Candidate:
    kind: str
    label: str
    shrunk: Shrunk


@dataclass(frozen=True)
class _Comparison:
    tables: tuple[Table, ...]
    metrics: dict[str, Metric]
    problems: list[str]


def _compared(student: Student, context: Context[EfficiencyOptions], share: float) -> _Comparison:
    """The network as handed in, with a share of its weights at zero, and without that share of its channels."""
    ruler = Ruler.of(student, context, context.options.images)
    candidates, problems = _candidates(student, share)
    rows: list[Row] = []
    times: list[_Times] = []
    try:
        times = _in_turns([each.shrunk for each in candidates], context.options.seconds)
        for candidate, taken in zip(candidates, times, strict=True):
            shrunk = candidate.shrunk
            medians = [_milliseconds(statistics.median(taken[size])) for size in _BATCHES]
            accuracy = ruler.accuracy(shrunk.weights, shrunk.network)
            rows.append(Row(label=candidate.label, cells=(*_sizes(student, shrunk), *medians, accuracy)))
    except SubmissionError as error:
        problems.append(str(error))
    metrics = {
        SPEEDUPS[each.kind].name: _speedup(SPEEDUPS[each.kind], times[0], taken)
        for each, taken in list(zip(candidates, times, strict=False))[1:]
    }
    table = Table(name="pruning and speed", columns=_COLUMNS, rows=tuple(rows))
    return _Comparison((table,) if rows else (), metrics, problems)


def _candidates(student: Student, share: float) -> tuple[list[_Candidate], list[str]]:
    """The networks to compare, the one as handed in first, and why one of them is missing."""
    found = [_Candidate("dense", "as handed in", Shrunk(student, student.weights))]
    if weights := prunable(student):
        zeroed = Shrunk(student, pruned(student, Masks(weights, "global_l1").at(share)))
        found.append(_Candidate("unstructured", f"{share:.0%} of the weights at zero", zeroed))
    try:
        network = student.without_channels("l1", 1 - share)
    except SubmissionError as error:
        return found, [str(error)]
    found.append(_Candidate("structured", f"without {share:.0%} of the channels", Shrunk(network, network.weights)))
    return found, []


def _in_turns(networks: Sequence[Shrunk], seconds: float) -> list[_Times]:
    """Seconds of a forward pass of each network by batch size, one number per round.

    One network after the other in every round, so that what else the machine does meets all of them alike.
    """
    times: list[_Times] = [{size: [] for size in _BATCHES} for _ in networks]
    for _ in range(_ROUNDS):
        for taken, shrunk in zip(times, networks, strict=True):
            for size in _BATCHES:
                latency = shrunk.network.latency(shrunk.weights, batch_size=size, seconds=seconds / _ROUNDS)
                taken[size].append(latency.median)
    return times


def _speedup(spec: MetricSpec, dense: _Times, other: _Times) -> Metric:
    """How many times as fast at the larger batch: the median over the rounds, each against its own dense pass.

    Between the least and the largest of six rounds the true median lies with a probability of 1 - 2 / 2^6, 97 %,
    however the times are distributed.
    """
    ratios = [one / two for one, two in zip(dense[_BATCHES[-1]], other[_BATCHES[-1]], strict=True)]
    return spec.of(statistics.median(ratios), min(ratios), max(ratios))


def _sizes(student: Student, shrunk: Shrunk) -> tuple[Metric | None, ...]:
    own = shrunk.network is student
    aliases = student.facts.aliases if own else ()
    handed_in = own and shrunk.weights is student.weights
    size = len(canonical(student)) if handed_in else state_bytes(student, shrunk.weights, aliases)
    return (
        _metric(nonzero_elements(shrunk.weights, aliases), "parameters"),
        _metric(size, "bytes"),
        _counted(shrunk.network),
    )


def _counted(network: Network) -> Metric | None:
    try:
        return _metric(network.macs(), "")
    except SubmissionError:
        return None


def _metric(value: int, unit: str) -> Metric:
    return Metric(value=value, unit=unit, higher_is_better=False)


def _milliseconds(seconds: float) -> Metric:
    return Metric(value=round(1000 * seconds, 4), unit="ms", higher_is_better=False)


@hookimpl
def harness_evaluators() -> Iterable[Evaluator[EfficiencyOptions]]:
    return [Efficiency()]
