"""Define metrics and checks: measured numbers, requirements with their verdicts, and what plugins declare of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, field
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, FiniteFloat
from pydantic.dataclasses import dataclass

from harness.values.base import Value, Verdict

_STRICT = ConfigDict(extra="forbid")

ACCURACY = "accuracy"
"""The one metric that the core knows by name, because assignment files have words for it: `[baselines]` are levels of
it, rules that name no metric go by it, and boards draw it against another."""

About = Literal["weights", "public_images", "images"]
"""Of the network alone; of the public images, where the assignment splits its data; or of all images."""
OnBoard = Literal["never", "wide", "always"]
Figures = Literal["all", "public", "private"]
"""Whose images a board ranks by: all of them where the assignment does not split its data."""


_MOST = 1e100
"""What arithmetic with numbers can bear, such as a hundred times as much in percent."""


def _bearable(number: float) -> float:
    if abs(number) > _MOST:
        raise ValueError(f"needs to be between {-_MOST:g} and {_MOST:g}")
    return number


Number = Annotated[FiniteFloat, AfterValidator(_bearable)]


class Metric(Value):
    """A measured number. One that could not be measured is absent, never 0 or NaN.

    >>> accuracy = Metric(value=0.91, unit="fraction", higher_is_better=True, low=0.904, high=0.915)
    >>> accuracy.value
    0.91
    """

    value: Annotated[FiniteFloat | int, AfterValidator(_bearable)]
    """The number."""
    unit: str
    """`parameters`, `bytes`, `fraction`, …"""
    higher_is_better: bool
    """Its direction."""
    low: Number | None = None
    """Lower end of the 95 % interval, in `unit`."""
    high: Number | None = None
    """Upper end; both are absent where there is no interval."""


class Check(Value):
    """A requirement with its verdict, the reason for it, and a hint on what to do next."""

    name: str
    """Its name."""
    verdict: Verdict
    """See [verdicts](#verdicts)."""
    reason: str
    """Why."""
    hint: str | None = None
    """What to do next."""

    @classmethod
    def passed(cls, name: str, reason: str, hint: str | None = None) -> Check:
        return cls(name=name, verdict="passed", reason=reason, hint=hint)

    @classmethod
    def failed(cls, name: str, reason: str, hint: str | None = None) -> Check:
        """The verdict on a requirement that is not met.

        >>> check = Check.failed("kd_loss", "the soft term is not multiplied by T²", "multiply it by T * T")
        >>> check.verdict
        'failed'
        """
        return cls(name=name, verdict="failed", reason=reason, hint=hint)

    @classmethod
    def could_not_check(cls, name: str, reason: str, hint: str | None = None) -> Check:
        return cls(name=name, verdict="could_not_check", reason=reason, hint=hint)


@dataclass(frozen=True, slots=True, config=_STRICT)
class MetricSpec:
    """Declare a metric, once, beside the evaluator that measures it.

    >>> MACS = MetricSpec("macs", unit="multiply-accumulates", higher_is_better=False, about="weights")
    >>> MACS.of(1200).value
    1200
    """

    name: str
    _: KW_ONLY
    unit: str
    higher_is_better: bool
    about: About = "images"
    """What it can tell of. `images` keeps it from students where some images are private, until those are published."""
    split: bool = False
    """Whether `<name>_public` and `<name>_private` are measured as well where the assignment splits its data; boards
    then rank by one of them."""
    on_board: OnBoard = "never"
    """Whether boards show it when they do not rank by it; `wide`: where there is room, as on the site and in CSV."""
    title: str = ""
    """What boards, reports and axes call it; absent: its name in words."""

    def of(self, value: float, low: float | None = None, high: float | None = None) -> Metric:
        """The metric with this value and, where there is one, its 95 % interval."""
        return Metric(value=value, unit=self.unit, higher_is_better=self.higher_is_better, low=low, high=high)

    def under(self, figures: Figures) -> str:
        """The metric's name on these images: `accuracy` is `accuracy_public` on the public ones."""
        return f"{self.name}_{figures}" if self.split and figures != "all" else self.name


@dataclass(frozen=True, slots=True, config=_STRICT)
class CheckSpec:
    """Declare a check, once, beside the evaluator that makes it."""

    name: str
    _: KW_ONLY
    about: About = "images"
    """What it can tell of, as for a metric."""
    evidence: bool = False
    """Whether it is a finding for the instructor to talk about, never shown to students."""


@dataclass(frozen=True, slots=True, config=_STRICT)
class Measures:
    """Look up what evaluators declare. What nobody declares is for the instructor and on no board."""

    metrics: Mapping[str, MetricSpec] = field(default_factory=dict)
    """By every name they are measured under, in the order they were declared in."""
    checks: Mapping[str, CheckSpec] = field(default_factory=dict)

    @classmethod
    def of(cls, metrics: Iterable[MetricSpec], checks: Iterable[CheckSpec]) -> Measures:
        parts: tuple[Figures, ...] = ("all", "public", "private")
        return cls(
            {each.under(figures): each for each in metrics for figures in parts},
            {each.name: each for each in checks},
        )

    @property
    def names(self) -> frozenset[str]:
        """Of all metrics and checks."""
        return frozenset({*self.metrics, *self.checks})

    @property
    def titles(self) -> dict[str, str]:
        """What people call each metric."""
        return {name: self.title(name) for name in self.metrics}

    def is_public(self, name: str) -> bool:
        """Whether a check or metric says nothing of private images."""
        metric, check = self.metrics.get(name), self.checks.get(name)
        if metric is not None and name == metric.under("public") != metric.name:
            return True
        known = [each.about for each in (metric, check) if each is not None]
        return bool(known) and "images" not in known

    def is_about_weights(self, metric: str) -> bool:
        """Whether a metric says nothing of any image."""
        declared = self.metrics.get(metric)
        return declared is not None and declared.about == "weights"

    def is_evidence(self, check: str) -> bool:
        """Whether students never see a check; so it is with those that nobody declares."""
        declared = self.checks.get(check)
        return declared is None or declared.evidence

    def under(self, metric: str, figures: Figures) -> str:
        """What a metric is called on the images that count."""
        declared = self.metrics.get(metric)
        return metric if declared is None or metric != declared.name else declared.under(figures)

    def kinds_of(self, metric: str) -> tuple[str, ...]:
        """Every name that a metric is measured under: `accuracy`, `accuracy_public`, `accuracy_private`."""
        return tuple(dict.fromkeys((metric, self.under(metric, "public"), self.under(metric, "private"))))

    def on_board(self, *, narrow: bool = False) -> tuple[str, ...]:
        """The metrics that boards show: about the weights first, and of these first those that are always shown.

        Args:
            narrow: only those for which there is always room.
        """
        always = [name for name, each in self.metrics.items() if each.on_board == "always"]
        wide = [name for name, each in self.metrics.items() if each.on_board == "wide" and not narrow]
        return tuple(sorted((*always, *wide), key=lambda name: not self.is_about_weights(name)))

    def title(self, metric: str) -> str:
        """What people call it: 'accuracy', 'accuracy (private)'."""
        declared = self.metrics.get(metric)
        if declared is None:
            return metric.replace("_", " ")
        own = declared.title or declared.name.replace("_", " ")
        return own if metric == declared.name else f"{own} ({metric.removeprefix(declared.name).strip('_')})"
