"""Name the factors of the two terms, right and wrong: reductions, powers of T, roles of α, whole-sum factors."""

from __future__ import annotations

from collections.abc import Callable

from harness_kd.terms import Choice

Reduction = Callable[[int, int], float]
"""(rows N, classes C) -> what the sum over all elements is multiplied by."""
Power = Callable[[float], float]
"""T -> factor."""
Weights = Callable[[float], tuple[float, float]]
"""α -> (weight of the soft term, weight of the hard term)."""
HardScale = Callable[[int, int, float], float]
"""(N, C, T) -> what the mean cross-entropy is multiplied by."""

_KL = r"kl_div|KLDivLoss|mean\(|sum\("
_RETURN = r"return|\+"
_CE = r"cross_entropy|CrossEntropy|nll"

REDUCTIONS: tuple[Choice[Reduction], ...] = (
    Choice("batchmean", "", lambda n, _: 1 / n),
    Choice("mean", "/C", lambda n, c: 1 / (n * c),
           "the soft term is averaged over the classes too (reduction “mean”), so it is C times too small",
           "“mean” is kl_div's default, and KLDivLoss(\"batchmean\") sets another argument and keeps it",
           "use kl_div(…, reduction=\"batchmean\"), or sum over the classes and average over the batch", _KL),
    Choice("sum", "·N", lambda _n, _c: 1.0,
           "the soft term is summed over the batch instead of averaged", "the formula's Σ asks for a sum, but over "
           "the classes only", "use kl_div(…, reduction=\"batchmean\")", r"sum|" + _KL),
    Choice("batchmean_twice", "/N", lambda n, _: 1 / n**2,
           "the soft term is divided by the batch size twice", "batchmean hides the first division",
           "drop the extra division by the batch size", r"shape\[0\]|size\(0\)|len\(|/ ?n\b|batch_size"),
    Choice("class_mean", "·N/C", lambda _, c: 1 / c,
           "the soft term is averaged over the classes and summed over the batch", "one of the two dimensions is "
           "averaged, but not the right one", "sum over the classes (dim=1) and average over the batch",
           r"mean\(|sum\("),
)  # fmt: skip

_T2 = "multiply it by T², which keeps its gradient's size the same for every T"

POWERS: tuple[Choice[Power], ...] = (
    Choice("t_squared", "T²", lambda t: t**2),
    Choice("no_factor", "", lambda _: 1.0,
           "the soft term is not multiplied by T²", "many write-ups leave the factor out, and at T=1 nothing changes",
           _T2, r"kl_div|KLDivLoss|" + _RETURN),
    Choice("t", "T", lambda t: t,
           "the soft term is multiplied by T instead of T²", "one division by T seems to ask for one multiplication",
           _T2, r"\* ?\(?\w*[Tt]"),
    Choice("per_t_squared", "1/T²", lambda t: t**-2,
           "the soft term is divided by T² instead of multiplied", "the gradient shrinks by 1/T², which has to be "
           "undone, not done", _T2, r"/ ?\(?\w*[Tt]"),
    Choice("per_t", "1/T", lambda t: 1 / t,
           "the soft term is divided by T instead of multiplied by T²", "everything else is divided by T", _T2,
           r"/ ?\(?\w*[Tt]"),
    Choice("t_cubed", "T³", lambda t: t**3,
           "the soft term is multiplied by T³ instead of T²", "one factor T slipped in twice", _T2, r"\*\* ?3|\*"),
    Choice("t_fourth", "T⁴", lambda t: t**4,
           "the soft term is multiplied by T² twice", "a helper that already scales by T² is scaled once more",
           "multiply by T² once", r"\*\* ?2|\*"),
)  # fmt: skip

WEIGHTS: tuple[Choice[Weights], ...] = (
    Choice("alpha", "α,(1-α)", lambda a: (a, 1 - a)),
    Choice("swapped", "(1-α),α", lambda a: (1 - a, a),
           "α and 1-α are swapped: α belongs to the soft term", "many papers use α for the hard term, and at α=½ "
           "nothing changes", "α weighs the soft term, 1-α the hard term", _RETURN),
    Choice("hard_unweighted", "α,", lambda a: (a, 1.0),
           "the hard term is not multiplied by 1-α", "the soft term looks like an addition to an ordinary loss",
           "multiply the cross-entropy by (1-α)", _RETURN),
    Choice("unweighted", ",", lambda _: (1.0, 1.0),
           "neither term is weighted by α", "two losses are simply added", "α weighs the soft term, 1-α the hard term",
           _RETURN),
    Choice("soft_unweighted", ",(1-α)", lambda a: (1.0, 1 - a),
           "the soft term is not multiplied by α", "T² already stands in front of it",
           "multiply the soft term by α", _RETURN),
    Choice("doubled", "2α,(1-α)", lambda a: (2 * a, 1 - a),
           "the soft term is weighted by 2α", "a factor 2 of another paper's convention", "weigh it by α", r"2"),
    Choice("alpha_on_both", "α,α", lambda a: (a, a),
           "both terms are weighted by α", "one weight for a sum of two", "weigh the hard term by (1-α)", _RETURN),
    Choice("rest_on_both", "(1-α),(1-α)", lambda a: (1 - a, 1 - a),
           "both terms are weighted by 1-α", "one weight for a sum of two", "weigh the soft term by α", _RETURN),
    Choice("alpha_on_hard_only", ",α", lambda a: (1.0, a),
           "α weighs the hard term, and the soft term has no weight", "α is read as the weight of the labels",
           "α weighs the soft term, 1-α the hard term", _RETURN),
    Choice("rest_on_soft_only", "(1-α),", lambda a: (1 - a, 1.0),
           "the soft term is weighted by 1-α and the hard term not at all", "α is read as the weight of the labels",
           "α weighs the soft term, 1-α the hard term", _RETURN),
    Choice("squared", "α²,(1-α)", lambda a: (a * a, 1 - a),
           "the soft term is multiplied by α twice", "a helper that already weighs is weighed once more",
           "weigh it by α once", _RETURN),
)  # fmt: skip

WHOLES: tuple[Choice[Power], ...] = (
    Choice("plain", "", lambda _: 1.0),
    Choice("t_squared_on_all", "T²", lambda t: t**2,
           "T² multiplies the whole sum, the hard term included", "the brackets close too late",
           "multiply only the soft term by T²", _RETURN, natural=frozenset({"no_factor"})),
    Choice("t_on_all", "T", lambda t: t,
           "T multiplies the whole sum", "the brackets close too late", "multiply only the soft term, by T²", _RETURN,
           natural=frozenset({"no_factor"})),
    Choice("negated", "-", lambda _: -1.0,
           "the whole loss has the wrong sign", "a likelihood is to be maximised", "drop the minus", r"return"),
    Choice("halved", "½", lambda _: 0.5,
           "the whole loss is halved", "two terms seem to ask for their mean", "drop the division by 2",
           r"2|0\.5|mean"),
)  # fmt: skip

HARD_SCALES: tuple[Choice[HardScale], ...] = (
    Choice("hard_mean", "", lambda _n, _c, _t: 1.0),
    Choice("hard_sum", "·N", lambda n, _c, _t: float(n),
           "the hard term is summed over the batch instead of averaged", "the formula's Σ asks for a sum",
           "leave cross_entropy's reduction at its default, “mean”", _CE),
    Choice("hard_per_batch", "/N", lambda n, _c, _t: 1 / n,
           "the hard term is divided by the batch size twice", "cross_entropy's mean hides the first division",
           "drop the extra division by the batch size", _CE),
    Choice("hard_class_mean", "/C", lambda _n, c, _t: 1 / c,
           "the hard term is averaged over the classes too", "a mean over one-hot products counts the zeros",
           "sum over the classes, average over the batch, or use cross_entropy", _CE),
)  # fmt: skip

HARD_CODED_ALPHAS = (0.5, 0.9, 0.1, 0.7, 0.3, 0.8, 0.2, 0.6, 0.4, 0.95, 0.05, 0.99, 0.01, 0.75, 0.25)
HARD_CODED_TEMPERATURES = (4.0, 2.0, 20.0, 3.0, 5.0, 10.0, 6.0, 8.0, 7.0, 1.5, 2.5, 15.0, 12.0)
