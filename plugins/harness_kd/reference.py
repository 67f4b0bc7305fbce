"""Compute the KD loss a submission is compared with, in NumPy float64, and choose the settings it is tried at.

    L = α·T²·KL(p ‖ q) + (1-α)·CE(student, labels),   p = softmax(teacher/T), q = softmax(student/T)

with the divergence averaged over the batch and natural logarithms (Hinton, Vinyals, Dean 2015, arXiv:1503.02531,
section 2). Nothing here knows torch: `fixtures/kd_reference/reference.json` holds the same values to 40 digits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Purpose = Literal["grid", "half", "elsewhere", "stability", "diagnosis"]
Dtype = Literal["float32", "float64"]

ROWS = 7
SCALE = 3.0
"""Standard deviation of the logits: large enough that the two distributions differ clearly."""
SETS = 4
"""Batches of inputs per setting; two unknown factors leave two equations to tell forms apart."""
GRID = ((0.3, 4.0), (0.7, 2.5))
"""(α, T) that decide. Neither is symmetric in α nor blind to T."""
MORE = (0.45, 1.7)
"""A third setting, so that no two explanations of the factors agree at all of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One call of a KD loss.

    Attributes:
        student, teacher: logits, float64 [N, C].
        labels: int64 [N], each in 0..C-1.
    """

    student: Array
    labels: NDArray[np.int64]
    teacher: Array
    alpha: float
    temperature: float


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """A case the worker is asked to try, under a name that is unique in its request."""

    name: str
    case: Case
    dtype: Dtype
    purpose: Purpose
    inputs: str
    """Names the batch, which several probes share."""


def log_softmax(logits: Array, axis: int = 1) -> Array:
    """Logarithms of the softmax over `axis`; exact for any finite logits."""
    shifted = logits - logits.max(axis=axis, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True)), dtype=np.float64)


def softmax(logits: Array, axis: int = 1) -> Array:
    return np.asarray(np.exp(log_softmax(logits, axis)), dtype=np.float64)


def soft_half(case: Case) -> float:
    """T²·KL(p‖q), the mean over the batch; α not applied."""
    log_p = log_softmax(case.teacher / case.temperature)
    log_q = log_softmax(case.student / case.temperature)
    divergence = float((np.exp(log_p) * (log_p - log_q)).sum() / len(case.labels))
    return case.temperature**2 * divergence


def hard_half(case: Case) -> float:
    """Cross-entropy of the unsoftened student with the labels, the mean over the batch."""
    rows = np.arange(len(case.labels))
    return float(-log_softmax(case.student)[rows, case.labels].mean())


def loss(case: Case) -> float:
    return case.alpha * soft_half(case) + (1 - case.alpha) * hard_half(case)


def gradient(case: Case) -> Array:
    """dL/d(student logits), float64 [N, C]: (α·T·(q-p) + (1-α)·(softmax(student) - onehot)) / N."""
    rows = len(case.labels)
    q, p = softmax(case.student / case.temperature), softmax(case.teacher / case.temperature)
    hard = softmax(case.student)
    hard[np.arange(rows), case.labels] -= 1
    return np.asarray((case.alpha * case.temperature * (q - p) + (1 - case.alpha) * hard) / rows, dtype=np.float64)


def batch(classes: int, number: int, rows: int = ROWS) -> Case:
    """A fixed batch of logits that float32 holds exactly; α and T are still to be chosen."""
    random = np.random.default_rng([20151503, classes, rows, number])

    def logits() -> Array:
        return (SCALE * random.standard_normal((rows, classes))).astype(np.float32).astype(np.float64)

    return Case(logits(), random.integers(0, classes, rows), logits(), alpha=0.5, temperature=1.0)


def batches(classes: int) -> list[Case]:
    """The batches that every setting is tried on."""
    # Where N equals C, a mean over the classes looks like a mean over the batch.
    rows = ROWS if classes != ROWS else ROWS - 1
    return [batch(classes, number, rows) for number in range(SETS)]


def probes(classes: int) -> list[Probe]:
    """Everything a function is tried with, for an assignment of that many classes."""
    cases = batches(classes)
    first, rows = cases[0], len(cases[0].labels)
    found: list[Probe] = []

    def add(case: Case, setting: tuple[float, float], dtype: Dtype, purpose: Purpose, inputs: str) -> None:
        alpha, temperature = setting
        name = f"{inputs} alpha={alpha:g} T={temperature:g} {dtype}"
        found.append(Probe(name, replace(case, alpha=alpha, temperature=temperature), dtype, purpose, inputs))

    for setting in GRID:
        add(first, setting, "float32", "grid", "batch 0")
    for number, case in enumerate(cases):
        for setting in (*GRID, MORE):
            add(case, setting, "float64", "diagnosis", f"batch {number}")
    for alpha in (0.0, 1.0):
        for _, temperature in GRID:
            add(first, (alpha, temperature), "float32", "half", "batch 0")
    add(first, (0.3, 1.0), "float32", "elsewhere", "batch 0")
    add(batch(classes, 0, rows - 3), GRID[0], "float32", "elsewhere", "small batch")
    add(_positive(first), GRID[0], "float64", "diagnosis", "positive logits")
    add(_extreme(first), GRID[0], "float32", "stability", "logits of ±10,000")
    return found


def _positive(case: Case) -> Case:
    """The same distributions from positive logits: a logarithm of raw logits becomes finite there."""
    return replace(case, student=case.student - case.student.min() + 1, teacher=case.teacher - case.teacher.min() + 2)


def _extreme(case: Case) -> Case:
    """±10⁴ by the logits' signs: softmax rounds to exact zeros in float32, log_softmax stays exact."""
    return replace(case, student=np.sign(case.student) * 1e4, teacher=np.sign(case.teacher) * 1e4)


def within(value: float, expected: float, probe: Probe) -> bool:
    """Whether a float32 value agrees: 1e-4 relative; off the grid also 1e-5·max(1, T²) absolute.

    A small divergence is a difference of large numbers, so off the grid a relative bound alone would accuse right
    functions.
    """
    absolute = 0.0 if probe.purpose == "grid" else 1e-5 * max(1.0, probe.case.temperature**2)
    return bool(abs(value - expected) <= 1e-4 * abs(expected) + absolute)


def gradients_agree(found: Array, expected: Array, probe: Probe) -> bool:
    """Whether all elements agree within 1e-3 of the largest expected one."""
    absolute = 0.0 if probe.purpose == "grid" else 1e-5 * max(1.0, probe.case.temperature**2)
    return bool(np.abs(found - expected).max() <= 1e-3 * np.abs(expected).max() + absolute)


def as_json_setting(probe: Probe) -> dict[str, Any]:
    """The probe as the worker's request spells it; tensors are named by `inputs`."""
    return {
        "name": probe.name,
        "alpha": probe.case.alpha,
        "temperature": probe.case.temperature,
        "dtype": probe.dtype,
        "student": f"{probe.inputs}.student",
        "labels": f"{probe.inputs}.labels",
        "teacher": f"{probe.inputs}.teacher",
    }
