"""Compute the forms a hard term takes, right and wrong: each a number, by a NumPy float64 function of one case.

Notation: s student logits, t teacher logits, y labels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness_kd.reference import Array, Case, log_softmax, softmax
from harness_kd.terms import Choice

Hard = Callable[[Case], float]


def _ce(logits: Array, case: Case, axis: int = 1) -> float:
    return float(-log_softmax(logits, axis)[np.arange(len(case.labels)), case.labels].mean())


def _smoothed(case: Case, amount: float) -> float:
    return (1 - amount) * _ce(case.student, case) + amount * float(-log_softmax(case.student).mean())


def _nll_of(values: Array, case: Case) -> float:
    return float(-values[np.arange(len(case.labels)), case.labels].mean())


def _teacher_labels(case: Case) -> float:
    top = case.teacher.argmax(axis=1).astype(np.int64)
    return _ce(case.student, Case(case.student, top, case.teacher, case.alpha, case.temperature))


_CE_LINE = r"cross_entropy|CrossEntropy|nll|NLL|\bce\w*\("

HARDS: tuple[Choice[Hard], ...] = (
    Choice("ce", "CE(s, y)", lambda c: _ce(c.student, c)),
    Choice("softened_ce", "CE(s/T, y)", lambda c: _ce(c.student / c.temperature, c),
           "the hard term uses the softened student logits", "after `s /= T`, or with one variable for both terms, "
           "the softened logits are at hand", "give cross_entropy the raw student logits", _CE_LINE),
    Choice("softmax_ce", "CE(softmax(s), y)", lambda c: _ce(softmax(c.student), c),
           "cross_entropy gets probabilities, so softmax is applied twice", "cross-entropy is defined on "
           "probabilities; torch's version wants logits", "give cross_entropy the raw student logits", _CE_LINE),
    Choice("softened_softmax_ce", "CE(softmax(s/T), y)", lambda c: _ce(softmax(c.student / c.temperature), c),
           "cross_entropy gets the softened probabilities", "one softmax seems to serve both terms",
           "give cross_entropy the raw student logits", _CE_LINE),
    Choice("nll_of_probabilities", "(-mean softmax(s)[y])", lambda c: _nll_of(softmax(c.student), c),
           "nll_loss gets probabilities where it expects log-probabilities", "“negative log-likelihood” sounds as "
           "if it took the log", "use cross_entropy, or nll_loss(log_softmax(student))", r"nll|NLL|gather"),
    Choice("nll_of_logits", "(-mean s[y])", lambda c: _nll_of(c.student, c),
           "nll_loss gets raw logits where it expects log-probabilities", "cross_entropy takes raw logits, so why "
           "not nll_loss", "use cross_entropy, or nll_loss(log_softmax(student))", r"nll|NLL|gather"),
    Choice("label_smoothing", "CE(s, y; label smoothing 0.1)", lambda c: _smoothed(c, 0.1),
           "the hard term has label smoothing", "it often helps, but it is another loss",
           "drop label_smoothing", r"smooth"),
    Choice("label_smoothing_05", "CE(s, y; label smoothing 0.05)", lambda c: _smoothed(c, 0.05),
           "the hard term has label smoothing", "it often helps, but it is another loss",
           "drop label_smoothing", r"smooth"),
    Choice("label_smoothing_20", "CE(s, y; label smoothing 0.2)", lambda c: _smoothed(c, 0.2),
           "the hard term has label smoothing", "it often helps, but it is another loss",
           "drop label_smoothing", r"smooth"),
    Choice("teacher_ce", "CE(t, y)", lambda c: _ce(c.teacher, c),
           "the hard term is computed on the teacher's logits", "both are called outputs or logits",
           "give cross_entropy the student's logits", _CE_LINE),
    Choice("softened_teacher_ce", "CE(t/T, y)", lambda c: _ce(c.teacher / c.temperature, c),
           "the hard term is computed on the teacher's softened logits", "both are called outputs or logits",
           "give cross_entropy the raw student logits", _CE_LINE),
    Choice("teacher_labels", "CE(s, argmax t)", _teacher_labels,
           "the hard term uses the teacher's top class instead of the labels", "a teacher “labels” the images",
           "give cross_entropy the true labels", r"argmax|max\("),
    Choice("batch_dimension_ce", "CE over the batch dimension", lambda c: _ce(c.student, c, axis=0),
           "the hard term's softmax runs over the batch (dim=0)", "shapes agree whichever dimension is used",
           "use dim=1, or cross_entropy", r"dim\s*=\s*0|,\s*0\)"),
    Choice("soft_only", "0", lambda _: 0.0,
           "the hard term is missing", "the teacher's distribution already tells the class",
           "add (1-α)·CE(student, labels)", r"return"),
)  # fmt: skip
