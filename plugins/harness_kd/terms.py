"""Compute the forms a soft term takes, right and wrong: each a small NumPy float64 function of one case.

A soft term is a divergence applied to a softening, before any reduction. Notation: s student logits, t teacher logits,
p and q the softened probabilities of teacher and student, y labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from harness_kd.reference import Array, Case, log_softmax, softmax

Function = TypeVar("Function")


@dataclass(frozen=True, slots=True)
class Choice(Generic[Function]):
    """One way to write one part of the loss.

    Attributes:
        title: what is wrong with it, a clause that can follow "because"; empty for the right way.
        formula: how the part reads in a formula.
        why: why it looks right.
        fix: what to write instead.
        line: regular expression of a source line that is likely to hold it.
        natural: names of other parts' choices that belong to this one and are no mistakes of their own.
        logits: of a softening, what the softmax of student and teacher is taken of, as formulas with {s} and {t} in
            them say it; None where q and p are no softmax over the classes, so that such formulas say nothing.
    """

    name: str
    formula: str
    function: Function
    title: str = ""
    why: str = ""
    fix: str = ""
    line: str = ""
    natural: frozenset[str] = frozenset()
    logits: tuple[str, str] | None = ("s/T", "t/T")

    @property
    def right(self) -> bool:
        return not self.title


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What a divergence sees: probabilities and their logarithms, as computed, and the logits they are a softmax of.

    Those are NaN where there are none.
    """

    log_q: Array
    q: Array
    log_p: Array
    p: Array
    z_q: Array
    z_p: Array
    case: Case


def xlogy(x: Array, y: Array) -> Array:
    """x·log(y), and 0 where x is 0."""
    from scipy.special import xlogy as computed  # a third of what every worker would import, for a wrong loss only

    return np.asarray(computed(x, y))


Softening = Callable[[Case], View]
Divergence = Callable[[View], Array]


def soften(case: Case, student: float, teacher: float, axis: int = 1) -> View:
    """Softmax over `axis` of the logits divided by a temperature each."""
    z_q, z_p = case.student / student, case.teacher / teacher
    log_q, log_p = log_softmax(z_q, axis), log_softmax(z_p, axis)
    if axis != 1:
        z_q = z_p = _none(case)
    return View(log_q, np.exp(log_q), log_p, np.exp(log_p), z_q, z_p, case)


def _none(case: Case) -> Array:
    return np.full_like(case.student, np.nan)


def _probabilities(case: Case, q: Array, p: Array) -> View:
    with np.errstate(divide="ignore"):
        return View(np.log(q), q, np.log(p), p, _none(case), _none(case), case)


def _divided_logs(case: Case) -> View:
    plain, heat = soften(case, 1, 1), case.temperature
    p = plain.p / heat
    return View(plain.log_q / heat, plain.q / heat, np.log(p), p, _none(case), _none(case), case)


def _divided_probabilities(case: Case) -> View:
    plain = soften(case, 1, 1)
    return _probabilities(case, plain.q / case.temperature, plain.p / case.temperature)


def _divided_student_logs(case: Case) -> View:
    plain, soft = soften(case, 1, 1), soften(case, 1, case.temperature)
    return View(
        plain.log_q / case.temperature, plain.q / case.temperature, soft.log_p, soft.p, _none(case), _none(case), case
    )


def _divided_teacher(case: Case) -> View:
    plain, soft = soften(case, 1, 1), soften(case, case.temperature, 1)
    p = plain.p / case.temperature
    return View(soft.log_q, soft.q, np.log(p), p, _none(case), _none(case), case)


def _twice(case: Case, student: bool, teacher: bool) -> View:
    once = soften(case, case.temperature, case.temperature)
    z_q, z_p = once.q if student else once.z_q, once.p if teacher else once.z_p
    log_q, log_p = log_softmax(z_q), log_softmax(z_p)
    return View(log_q, np.exp(log_q), log_p, np.exp(log_p), z_q, z_p, case)


def _squashed_first(case: Case, student: bool, teacher: bool) -> View:
    """softmax(softmax(z)/T): the logits "should have passed softmax", say some handouts."""
    s = softmax(case.student) if student else case.student
    t = softmax(case.teacher) if teacher else case.teacher
    return soften(Case(s, case.labels, t, case.alpha, case.temperature), case.temperature, case.temperature)


def _mixed_axis(case: Case, student: int, teacher: int) -> View:
    q, p = soften(case, case.temperature, case.temperature, student), soften(case, 1, case.temperature, teacher)
    return View(q.log_q, q.q, p.log_p, p.p, _none(case), _none(case), case)


BOTH: Choice[Softening] = Choice(
    "both", "p = softmax(t/T), q = softmax(s/T)", lambda c: soften(c, c.temperature, c.temperature)
)
_T_LINE = r"softmax\("

SOFTENINGS: tuple[Choice[Softening], ...] = (
    BOTH,
    Choice("student_only", "p = softmax(t), q = softmax(s/T)", lambda c: soften(c, c.temperature, 1),
           "the teacher's logits are not divided by T", "the line of the teacher looks complete without it",
           "divide both sets of logits by T before the softmax", r"softmax\((?!.*/).*teach|softmax\((?!.*/)",
           logits=("s/T", "t")),
    Choice("teacher_only", "p = softmax(t/T), q = softmax(s)", lambda c: soften(c, 1, c.temperature),
           "the student's logits are not divided by T", "only the teacher gives “soft” targets",
           "divide both sets of logits by T before the softmax", r"softmax\((?!.*/)", logits=("s", "t/T")),
    Choice("ignored", "p = softmax(t), q = softmax(s)", lambda c: soften(c, 1, 1),
           "the logits are not divided by T", "at T=1, the default of many handouts, nothing changes",
           "divide both sets of logits by T before the softmax", r"softmax\((?!.*/)", logits=("s", "t")),
    Choice("multiplied", "p = softmax(t·T), q = softmax(s·T)",
           lambda c: soften(c, 1 / c.temperature, 1 / c.temperature),
           "the logits are multiplied by T instead of divided", "“raising the temperature” sounds like multiplying",
           "divide the logits by T: softmax(logits / T)", r"softmax\(.*\*", logits=("s·T", "t·T")),
    Choice("divided_twice", "p = softmax(t/T²), q = softmax(s/T²)",
           lambda c: soften(c, c.temperature**2, c.temperature**2),
           "the logits are divided by T twice", "an in-place `/= T` above is easily forgotten",
           "divide by T once, and not in place", r"/=", logits=("s/T²", "t/T²")),
    Choice("student_divided_twice", "p = softmax(t/T), q = softmax(s/T²)",
           lambda c: soften(c, c.temperature**2, c.temperature),
           "the student's logits are divided by T twice", "an in-place `/= T` above is easily forgotten",
           "divide by T once, and not in place", r"/=", logits=("s/T²", "t/T")),
    Choice("teacher_divided_twice", "p = softmax(t/T²), q = softmax(s/T)",
           lambda c: soften(c, c.temperature, c.temperature**2),
           "the teacher's logits are divided by T twice", "an in-place `/= T` above is easily forgotten",
           "divide by T once, and not in place", r"/=", logits=("s/T", "t/T²")),
    Choice("divided_after", "p = softmax(t)/T, q = softmax(s)/T, log q = log_softmax(s)/T", _divided_logs,
           "T divides the result of the softmax instead of its input", "the brackets close one word too early",
           "move the division inside: softmax(logits / T, dim=1)", r"softmax\([^()]*\)\s*/", logits=None),
    Choice("divided_after_before_log", "p = softmax(t)/T, q = softmax(s)/T", _divided_probabilities,
           "T divides the probabilities instead of the logits", "probabilities are “softened” by making them smaller",
           "move the division inside: softmax(logits / T, dim=1)", r"softmax\([^()]*\)\s*/", logits=None),
    Choice("student_divided_after", "p = softmax(t/T), q = softmax(s)/T, log q = log_softmax(s)/T",
           _divided_student_logs,
           "T divides the student's log-probabilities instead of its logits", "the brackets close one word too early",
           "write log_softmax(student / T, dim=1)", r"log_softmax\([^()]*\)\s*/", logits=None),
    Choice("teacher_divided_after", "p = softmax(t)/T, q = softmax(s/T)", _divided_teacher,
           "T divides the teacher's probabilities instead of its logits", "the brackets close one word too early",
           "write softmax(teacher / T, dim=1)", r"softmax\([^()]*\)\s*/", logits=None),
    Choice("batch_dimension", "p = softmax over the batch of t/T, q likewise",
           lambda c: soften(c, c.temperature, c.temperature, axis=0),
           "the softmax runs over the batch (dim=0), not over the classes", "dim=0 is the first dimension, the one "
           "of a single image's logits", "use dim=1 (or dim=-1) in both softmax calls", r"dim\s*=\s*0|,\s*0\)",
           logits=None),
    Choice("student_batch_dimension", "p = softmax(t/T), q = softmax over the batch of s/T",
           lambda c: _mixed_axis(c, 0, 1), "the student's softmax runs over the batch (dim=0)",
           "shapes agree whichever dimension is used", "use dim=1 in both softmax calls", r"dim\s*=\s*0|,\s*0\)",
           logits=None),
    Choice("teacher_batch_dimension", "p = softmax over the batch of t/T, q = softmax(s/T)",
           lambda c: _mixed_axis(c, 1, 0), "the teacher's softmax runs over the batch (dim=0)",
           "shapes agree whichever dimension is used", "use dim=1 in both softmax calls", r"dim\s*=\s*0|,\s*0\)",
           logits=None),
    Choice("softmax_twice", "p = softmax(softmax(t/T)), q = softmax(softmax(s/T))", lambda c: _twice(c, True, True),
           "softmax is applied twice to both", "a softmax in the model and one in the loss each look needed",
           "apply softmax once, to the logits", _T_LINE, logits=("softmax(s/T)", "softmax(t/T)")),
    Choice("student_softmax_twice", "p = softmax(t/T), q = softmax(softmax(s/T))", lambda c: _twice(c, True, False),
           "softmax is applied twice to the student", "log_softmax looks like “the log of a softmax one made before”",
           "give log_softmax the logits", r"log_softmax\(", logits=("softmax(s/T)", "t/T")),
    Choice("teacher_softmax_twice", "p = softmax(softmax(t/T)), q = softmax(s/T)", lambda c: _twice(c, False, True),
           "softmax is applied twice to the teacher", "the teacher's outputs look like they still need one",
           "apply softmax once, to the logits", _T_LINE, logits=("s/T", "softmax(t/T)")),
    Choice("softmax_before_division", "p = softmax(softmax(t)/T), q = softmax(softmax(s)/T)",
           lambda c: _squashed_first(c, True, True),
           "softmax is taken before the division by T, and again after it", "some handouts say the logits “should "
           "have passed softmax”", "divide the logits, not probabilities: softmax(logits / T)", _T_LINE,
           logits=("softmax(s)/T", "softmax(t)/T")),
    Choice("teacher_softmax_before_division", "p = softmax(softmax(t)/T), q = softmax(s/T)",
           lambda c: _squashed_first(c, False, True),
           "the teacher's softmax is taken before the division by T, and again after it",
           "some handouts say the logits “should have passed softmax”", "divide the teacher's logits by T", _T_LINE,
           logits=("s/T", "softmax(t)/T")),
)  # fmt: skip


def _one_hot(classes: Array, count: int) -> Array:
    return np.asarray(np.eye(count)[classes.astype(np.int64)], dtype=np.float64)


def _jensen_shannon(view: View) -> Array:
    middle = (view.p + view.q) / 2
    parts = xlogy(view.p, view.p / middle) + xlogy(view.q, view.q / middle)
    return np.asarray(parts / 2, dtype=np.float64)


def _argmax_label(view: View) -> Array:
    right = np.isfinite(view.z_q).all() and np.isfinite(view.z_p).all()
    return -_one_hot(view.z_p.argmax(axis=1), view.p.shape[1]) * (view.log_q if right else view.z_q)


def _scale_inside(view: View) -> Array:
    """kl_div(log q, p·T²), divided by the T² that the factor puts back."""
    return np.asarray(view.p * (np.log(view.p * view.case.temperature**2) - view.log_q), dtype=np.float64)


def _scale_and_alpha_inside(view: View) -> Array:
    scale = view.case.alpha * view.case.temperature**2
    return np.asarray(view.p * (np.log(view.p * scale if scale else view.p) - view.log_q), dtype=np.float64)


def kl(view: View) -> Array:
    """p·(log p - log q), as torch's kl_div(log q, p)."""
    return np.asarray(xlogy(view.p, view.p) - view.p * view.log_q, dtype=np.float64)


def reverse_kl(view: View) -> Array:
    """q·(log q - log p), as torch's kl_div(log p, q)."""
    return np.asarray(xlogy(view.q, view.q) - view.q * view.log_p, dtype=np.float64)


_KL_LINE = r"kl_div|KLDivLoss|\bkl\w*\(|\bkld?\b"
_MSE = frozenset({"ignored", "mean", "no_factor", "both"})

DIVERGENCES: tuple[Choice[Divergence], ...] = (
    Choice("kl", "KL(p‖q)", kl),
    Choice("reverse_kl", "KL(q‖p)", reverse_kl,
           "the divergence is reversed, KL(student‖teacher)", "kl_div(input, target) computes KL(target‖input): its "
           "arguments stand in the opposite order of the formula", "kl_div(log_softmax(student / T), "
           "softmax(teacher / T))", _KL_LINE),
    Choice("soft_cross_entropy", "(-Σ p·log q)", lambda v: -v.p * v.log_q,
           "the soft term is the cross-entropy with the teacher, not the KL divergence", "its gradient is the same; "
           "only the teacher's entropy is missing from the value", "subtract the teacher's entropy, or use kl_div",
           r"log_softmax|\.log\(|cross_entropy|sum\("),
    Choice("reverse_soft_cross_entropy", "(-Σ q·log p)", lambda v: -v.q * v.log_p,
           "the soft term is the cross-entropy of the teacher with the student's probabilities",
           "two distributions, one logarithm: it could be either", "use kl_div(log_softmax(student / T), "
           "softmax(teacher / T))", r"log_softmax|\.log\(|sum\("),
    Choice("probabilities_as_input", "(Σ p·(log p - q))", lambda v: xlogy(v.p, v.p) - v.p * v.q,
           "kl_div gets the student's probabilities where it expects log-probabilities", "its documentation speaks "
           "of “input” and “target” distributions; the loss comes out negative", "use log_softmax for the student",
           _KL_LINE),
    Choice("reversed_probabilities_as_input", "(Σ q·(log q - p))", lambda v: v.q * v.log_q - v.q * v.p,
           "kl_div gets the teacher's probabilities as its (log) input and the student's as its target",
           "the order teacher, student follows the formula KL(p‖q)", "kl_div(log_softmax(student / T), "
           "softmax(teacher / T))", _KL_LINE),
    Choice("log_target_on_probabilities", "(Σ exp(p)·(p - log q))", lambda v: np.exp(v.p) * (v.p - v.log_q),
           "log_target=True is set, but the target holds probabilities", "the flag sounds like “take the log for me”",
           "drop log_target=True, or use log_softmax for the teacher", r"log_target"),
    Choice("logits_as_input", "(Σ p·(log p - {s}))", lambda v: xlogy(v.p, v.p) - v.p * v.z_q,
           "kl_div gets the student's raw logits where it expects log-probabilities", "cross_entropy takes raw "
           "logits, so why not kl_div", "use log_softmax(student / T) as its input", _KL_LINE),
    Choice("negative", "(-KL(p‖q))", lambda v: -kl(v),
           "the soft term has the wrong sign", "-Σ p·log(p/q) looks like a cross-entropy", "drop the minus",
           r"-"),
    Choice("jensen_shannon", "JS(p, q)", _jensen_shannon,
           "the soft term is the Jensen–Shannon divergence", "it is the symmetric relative of KL",
           "use kl_div(log_softmax(student / T), softmax(teacher / T))", r"/ 2|0\.5"),
    Choice("symmetric_kl", "(KL(p‖q) + KL(q‖p))", lambda v: kl(v) + reverse_kl(v),
           "both directions of KL are added", "a distance ought to be symmetric", "keep KL(teacher‖student) only",
           _KL_LINE),
    Choice("mse_logits", "Σ({s} - {t})²", lambda v: (v.z_q - v.z_p) ** 2,
           "the soft term is the squared difference of logits", "it is the limit of KD for T → ∞ (Hinton et al., "
           "section 2.1)", "use kl_div on the softened distributions", r"mse|MSE|\*\* ?2|pow", _MSE),
    Choice("mse_probabilities", "Σ(q - p)²", lambda v: (v.q - v.p) ** 2,
           "the soft term is the squared difference of probabilities", "it also vanishes when both agree",
           "use kl_div on the softened distributions", r"mse|MSE|\*\* ?2|pow", frozenset({"mean", "no_factor"})),
    Choice("teacher_argmax", "CE({s}, argmax t)", _argmax_label,
           "the soft term uses only the teacher's top class as a label", "a teacher “labels” the images",
           "use the teacher's whole softened distribution", r"argmax|max\(",
           frozenset({"ignored", "no_factor", "both"})),
    Choice("scale_inside", "(Σ p·(log T²p - log q))", _scale_inside,
           "T² multiplies the target inside kl_div instead of the result", "the gradient is the same; the value is not",
           "multiply the result of kl_div by T²", _KL_LINE),
    Choice("scale_and_alpha_inside", "(Σ p·(log αT²p - log q))", _scale_and_alpha_inside,
           "α·T² multiplies the target inside kl_div instead of the result", "the gradient is the same; the value "
           "is not", "multiply the result of kl_div by α·T²", _KL_LINE),
    Choice("hard_only", "0", lambda v: np.zeros_like(v.p),
           "the soft term is missing", "training works without it, as it does without a teacher",
           "add α·T²·KL(teacher‖student)", r"return", frozenset({
               choice.name for choice in SOFTENINGS} | {"mean", "no_factor"})),
)  # fmt: skip
