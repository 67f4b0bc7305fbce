"""Measure accuracy against the parameters that are left when weights are zero or channels are removed.

Without retraining. Unstructured pruning as `torch.nn.utils.prune` does it: the student's code only runs forward, the
grader zeroes the weights it sends. Channels are removed in the worker by Torch-Pruning, and the network gets smaller
and faster for real. With `recalibrate`, each series stands there a second time, with BatchNorm's statistics gathered
anew on training images: much of what pruning seems to cost is often only that they are those of another network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated, Literal, get_args

from pydantic import Field, field_validator

from harness.api import (
    ChannelOrder,
    Check,
    CheckSpec,
    Context,
    Curve,
    Evaluation,
    Evaluator,
    Images,
    Options,
    PositiveInt,
    Reads,
    Series,
    Student,
    SubmissionError,
    hookimpl,
)
from harness_curves.masks import Masks, WeightMethod, prunable, pruned
from harness_curves.points import Point, Ruler, Shrunk, series
from harness_curves.summaries import SUMMARIES, summaries

Method = Literal["global_l1", "layer_l1", "random", "channels_l1", "channels_gamma"]
Share = Annotated[float, Field(gt=0, lt=1)]

_NAME = "pruning_curve"
_RECALIBRATED = ", recalibrated"
_ORDERS: dict[Method, ChannelOrder] = {"channels_l1": "l1", "channels_gamma": "gamma"}
_LABELS: dict[Method, str] = {
    "global_l1": "global L1",
    "layer_l1": "layer-wise L1",
    "random": "random",
    "channels_l1": "channels by L1",
    "channels_gamma": "channels by gamma",
}


class PruningOptions(Options):
    """`[evaluators.pruning_curve]`."""

    methods: Annotated[tuple[Method, ...], Field(min_length=1)] = ("global_l1", "layer_l1", "random")
    """One series each, `random` one per seed; the metrics summarise the first series."""
    fractions: Annotated[tuple[Share, ...], Field(min_length=1)] = (0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
    """Shares of the weights to set to zero, ascending; of the channels of every layer, for the methods that remove
    channels. The network as handed in is always the first point."""
    rates: tuple[Share, ...] = ()
    """For the methods that remove channels, instead of `fractions`: a series per rate, in which every step keeps this
    share of the channels that the step before had."""
    iterations: PositiveInt = 6
    """Steps of such a series."""
    recalibrate: bool = False
    """Whether each series is measured a second time with BatchNorm's statistics gathered on `[data.calibration]`."""
    calibration_images: PositiveInt = 1000
    """Gather them on at most this many images."""
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (0,)
    """For `random`."""
    images: PositiveInt | None = None
    """Measure on this many of the graded images, evenly spaced, to save time; absent: on all."""

    @field_validator("fractions")
    @classmethod
    def _ascending(cls, fractions: tuple[float, ...]) -> tuple[float, ...]:
        if any(one >= other for one, other in pairwise(fractions)):
            raise ValueError("must be ascending, each once")
        return fractions

    @field_validator("methods", "seeds", "rates")
    @classmethod
    def _each_once(cls, chosen: tuple[object, ...]) -> tuple[object, ...]:
        if len(set(chosen)) < len(chosen):
            raise ValueError("something is named twice")
        return chosen


@dataclass(frozen=True)
class Run:
    """One way through the network's sizes, a series or two."""

    label: str
    shares: tuple[float, ...]
    """What is taken away at each point, of the weights or of every layer's channels."""
    shrink: Callable[[float], Shrunk]
    """Raises SubmissionError when the network cannot be made smaller."""


class PruningCurve:
    """Measures accuracy against parameters while more and more of the network is pruned.

    Weights of convolutions and linear layers, parameters with at least two dimensions, or channels go. Biases and
    BatchNorm are never zeroed. x counts what is left of all stored parameters, exact zeros not included, as
    `parameters_nonzero` does. A fraction is a share of the weights that can be pruned, zeros that the network already
    has going first, or a share of the channels of every layer, which is more of the parameters. See docs/curves.md for
    the definitions.
    """

    name = _NAME
    Options = PruningOptions
    metrics = SUMMARIES
    checks = (CheckSpec(_NAME),)
    reads: frozenset[Reads] = frozenset({"network", "images", "hand_in"})

    def evaluate(self, student: Student, context: Context[PruningOptions]) -> Evaluation:
        options = context.options
        ruler = Ruler.of(student, context, options.images)
        measured = _Measured(ruler, _calibration(student, context))
        for run in _runs(student, options):
            measured.add(run)
        problems = measured.problems + _doubts(student, context)
        checks = (Check.could_not_check(_NAME, "; ".join(dict.fromkeys(problems))),) if problems else ()
        lines = tuple(measured.lines)
        if not lines:
            return Evaluation(checks=checks)
        curve = Curve(name="pruning", x="parameters", y="accuracy", series=lines)
        return Evaluation(
            metrics=summaries(lines[0].points) if measured.complete else {}, checks=checks, curves=(curve,)
        )


class _Measured:
    """The series so far; the network as handed in is measured once for all of them.

    Args:
        calibration: images to recalibrate on; None for plain series alone.
    """

    def __init__(self, ruler: Ruler, calibration: Images | None) -> None:
        self._ruler, self._calibration = ruler, calibration
        self.lines: list[Series] = []
        self._problems: dict[str, list[str]] = {}
        self.complete = False
        """Whether the first series has all of its points."""
        handed_in = Shrunk(ruler.student, ruler.student.weights)
        self._dense = {"": ruler.point(handed_in)}
        if calibration is not None:
            try:
                self._dense[_RECALIBRATED] = self._point(handed_in, _RECALIBRATED)
            except SubmissionError as error:
                self._trouble("recalibrated", error)

    def add(self, run: Run) -> None:
        """Measure a run, up to the first point that cannot be."""
        lines = {each: [first] for each, first in self._dense.items()}
        for share in run.shares:
            try:
                shrunk = run.shrink(share)
                for each, points in lines.items():
                    points.append(self._point(shrunk, each))
            except SubmissionError as error:
                self._trouble(f"{run.label} from {share:.3g} on", error)
                break
        if not self.lines:
            self.complete = len(lines[""]) == 1 + len(run.shares)
        self.lines += [series(run.label + each, points) for each, points in lines.items() if len(points) > 1]

    @property
    def problems(self) -> list[str]:
        """What could not be measured, and why; one reason once."""
        return [f"{reason} ({', '.join(places)})" for reason, places in self._problems.items()]

    def _trouble(self, where: str, error: SubmissionError) -> None:
        self._problems.setdefault(error.reason, []).append(where)

    def _point(self, shrunk: Shrunk, kind: str) -> Point:
        if kind == _RECALIBRATED:
            assert self._calibration is not None
            shrunk = shrunk.recalibrated(self._calibration)
        return self._ruler.point(shrunk)


def _runs(student: Student, options: PruningOptions) -> Iterator[Run]:
    weights = prunable(student)
    for method in options.methods:
        if method in _ORDERS:
            yield from _channel_runs(student, method, options)
        elif weights:
            yield from _weight_runs(student, method, options)


def _weight_runs(student: Student, method: Method, options: PruningOptions) -> Iterator[Run]:
    weights = prunable(student)
    for seed in options.seeds if method == "random" else (0,):
        masks = Masks(weights, _weight_method(method), seed)
        label = f"random, seed {seed}" if method == "random" else _LABELS[method]

        def zeroed(share: float, masks: Masks = masks) -> Shrunk:
            return Shrunk(student, pruned(student, masks.at(share)))

        yield Run(label, options.fractions, zeroed)


def _channel_runs(student: Student, method: Method, options: PruningOptions) -> Iterator[Run]:
    def cut(share: float) -> Shrunk:
        network = student.without_channels(_ORDERS[method], 1 - share)
        return Shrunk(network, network.weights)

    if not options.rates:
        yield Run(_LABELS[method], options.fractions, cut)
    for rate in options.rates:
        # Without training between the steps, keeping the best of the best is keeping the best at once.
        shares = tuple(1 - rate**step for step in range(1, options.iterations + 1))
        yield Run(f"{_LABELS[method]}, rate {rate:g}", shares, cut)


def _weight_method(method: Method) -> WeightMethod:
    found: WeightMethod = next(each for each in get_args(WeightMethod) if each == method)
    return found


def _calibration(student: Student, context: Context[PruningOptions]) -> Images | None:
    """Images to recalibrate on, where that is asked for and would change anything."""
    options = context.options
    has_statistics = any(name.endswith("running_mean") for name in student.weights)
    if not options.recalibrate or not has_statistics or context.calibration is None:
        return None
    # They come shuffled: the first are as good as any.
    return replace(context.calibration, pixels=context.calibration.pixels[: options.calibration_images])


def _doubts(student: Student, context: Context[PruningOptions]) -> list[str]:
    options = context.options
    found = []
    if not prunable(student) and set(options.methods) - _ORDERS.keys():
        found.append("the network has no parameters with two or more dimensions to prune")
    if options.recalibrate and context.calibration is None:
        found.append("there is no [data.calibration] to recalibrate on")
    return found


@hookimpl
def harness_evaluators() -> Iterable[Evaluator[PruningOptions]]:
    return [PruningCurve()]
