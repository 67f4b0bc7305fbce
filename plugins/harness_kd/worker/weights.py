"""Read the weights of a student's KD loss: one for the soft term, one for both, or one for each.

One weight is α, the soft term's, and the other 1-α. Names such as `kd_w` and `ce_w` say which is which; `alpha` and
`beta` do not, so both ways are tried, and a loss that is right in one of them is right.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from harness_kd.worker.names import Role, is_weight, number_role, side, tokens

Plan = dict[str, Role]
"""name -> `alpha` (weight of the soft term) or `hard_weight` (of the hard term)."""

_MOST = 3
"""Weights of which no name says more than that; RepDistiller has three."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """What one probe sets.

    Attributes:
        plan: what weights mean in this reading.
        percent: whether they are given as 0 to 100.
    """

    alpha: float
    temperature: float
    plan: Plan = field(default_factory=dict)
    percent: bool = False

    def of(self, role: Role) -> float:
        if role == "temperature":
            return self.temperature
        return (self.alpha if role == "alpha" else 1 - self.alpha) * (100 if self.percent else 1)

    def named(self, name: str) -> float | None:
        """The value that a number of that name has, outside the parameters; None if it is none of ours."""
        role = self.plan.get(name) or number_role(name)
        return None if role is None else self.of(role)


class ConfigTable(dict[str, Any]):
    """Stands for `params`, `args`, `config`, and for the tables within: what means α or T has its value there."""

    def __init__(self, numbers: Numbers) -> None:
        super().__init__(alpha=numbers.of("alpha"), temperature=numbers.temperature, T=numbers.temperature)
        self._numbers = numbers

    def __bool__(self) -> bool:
        return False  # Of a flag nobody knows, "off" is the likelier meaning.

    def __getitem__(self, key: str) -> Any:
        return self._of(str(key))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._of(name)

    def get(self, key: str, default: Any = None) -> Any:
        value = self._numbers.named(str(key))
        nested = self if default is None or isinstance(default, dict) else default
        return nested if value is None else value

    def _of(self, name: str) -> Any:
        value = self._numbers.named(name)
        return self if value is None else value


def plans(names: Sequence[str]) -> list[Plan]:
    """Ways to read weights of those names, likeliest first."""
    weights = [name for name in dict.fromkeys(names) if is_weight(name)]
    said: Plan = {name: role for name in weights if (role := side(name)) is not None}
    left = sorted((name for name in weights if name not in said), key=lambda name: not _is_alpha(name))[:_MOST]
    if not said:
        return _unsaid(left)
    missing: list[Role] = [role for role in ("alpha", "hard_weight") if role not in said.values()]
    if missing and left:
        return [*({**said, name: missing[0]} for name in left), said]
    turned: list[Plan] = [{name: "alpha"} for name in said if len(said) == 1 and side(name) == "hard_weight"]
    return [said, *turned] if any(map(_is_alpha, said)) else [said]


def _unsaid(left: list[str]) -> list[Plan]:
    pairs: list[Plan] = [{soft: "alpha", hard: "hard_weight"} for soft, hard in itertools.permutations(left, 2)]
    alone: list[Plan] = [{name: "alpha"} for name in left]
    # α is the soft term's by definition; `beta` or `w` alone may be either's.
    alone += [{name: "hard_weight"} for name in left if not _is_alpha(name)]
    return [*pairs, *alone] or [{}]


def _is_alpha(name: str) -> bool:
    return bool(set(tokens(name)) & {"alpha", "α"})
