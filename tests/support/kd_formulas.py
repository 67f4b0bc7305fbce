"""Evaluate a formula as the check prints it, from its text alone, as a student with SciPy would.

Notation: Σ over the classes and the mean over the batch; p and q the softened probabilities unless a `with` says
otherwise; N images, C classes.
"""

import re

import numpy as np
from scipy.special import log_softmax, softmax, xlogy

INSIDE = r"(?:[^()]|\((?:[^()]|\([^()]*\))*\))*"  # up to the bracket that closes what stands around it
FORM = re.compile(
    rf"KL\([pq]‖[pq]\)|JS\(p, q\)|CE\({INSIDE}\)|CE over the batch dimension|Σ\({INSIDE}\)²|Σ {INSIDE}|"
    r"mean (?:softmax\(s\)|s)\[y\]"
)


FUNCTIONS = {
    "softmax": lambda z: softmax(z, axis=1), "log_softmax": lambda z: log_softmax(z, axis=1), "log": np.log, "exp": np.exp,
}  # fmt: skip


def value(formula, case):
    """The number it stands for, in float64, at a case's α and T."""
    formula, _, heat = formula.partition(", T=")
    formula, _, where = formula.partition(" with ")
    names = {"s": case.student, "t": case.teacher, "T": case.temperature, "a": case.alpha, "y": case.labels}
    names |= {"N": float(len(case.labels)), "C": float(case.student.shape[1])}
    if heat:
        names["T"] = float(heat.removesuffix(" always"))
    names |= distributions(where or "p = softmax(t/T), q = softmax(s/T)", names)
    known = []

    def number(found):
        known.append(form(found[0], names))
        return f"F[{len(known) - 1}]"

    return float(eval(python(FORM.sub(number, formula)), {"__builtins__": {}}, {**names, "F": known}))


def python(text):
    text = re.sub(r"(\d)α", r"\1*α", text.replace("½", "0.5").replace("-mean", "-"))
    for sign, meant in (("·", "*"), ("²", "**2"), ("³", "**3"), ("⁴", "**4"), ("α", "a"), ("mean ", "")):
        text = text.replace(sign, meant)
    return text


def distributions(text, names):
    """p, q and their logarithms, as a text such as `p = softmax(t), log q = log_softmax(s)/T` says."""
    found = {}
    for part in re.split(r", (?=(?:log )?[pq] )", text):
        if part.endswith(" likewise"):
            found["q"] = evaluated(last.replace("t/", "s/"), names)  # noqa: F821 - the part before
            continue
        name, _, last = part.partition(" = ")
        found[name.replace(" ", "")] = evaluated(last, names)
    with np.errstate(divide="ignore"):
        for name in "pq":
            if name not in found:
                found[name] = np.exp(found[f"log{name}"])
            found.setdefault(f"log{name}", np.log(found[name]))
    return found


def evaluated(text, names):
    over_batch = re.fullmatch(r"softmax over the batch of (.*)", text)
    if over_batch:
        return softmax(eval(python(over_batch[1]), {}, names), axis=0)
    return eval(python(text), {}, {**names, **FUNCTIONS})


def mean(terms):
    return float(terms.sum(axis=1).mean())


def form(text, names):
    rows, y = np.arange(len(names["y"])), names["y"]
    p, q, s, t = (names[name] for name in "pqst")
    if match := re.fullmatch(r"KL\((.)‖(.)\)", text):
        first, second = match[1], match[2]
        return mean(xlogy(names[first], names[first]) - names[first] * names[f"log{second}"])
    if text == "JS(p, q)":
        return mean(xlogy(p, 2 * p / (p + q)) + xlogy(q, 2 * q / (p + q))) / 2
    if text == "CE over the batch dimension":
        return float(-log_softmax(s, axis=0)[rows, y].mean())
    if match := re.fullmatch(r"CE\((.*), (y|argmax t)(?:; label smoothing (.*))?\)", text):
        logs = log_softmax(evaluated(match[1], names), axis=1)
        share = float(match[3] or 0)
        label = y if match[2] == "y" else t.argmax(axis=1)
        return float(-(1 - share) * logs[rows, label].mean() - share * logs.mean())
    if match := re.fullmatch(r"mean (.*)\[y\]", text):
        return float(evaluated(match[1], names)[rows, y].mean())
    if match := re.fullmatch(r"Σ\((.*)\)²", text):
        return mean(evaluated(match[1], names) ** 2)
    return mean(summand(text.removeprefix("Σ "), names))


def summand(text, names):
    """`p·(log p - q)` and the like."""
    text = re.sub(r"log ([pq])", r"log\1", text)
    text = text.replace("log αT²p", "log(α·T²·p)").replace("log T²p", "log(T²·p)")
    return np.nan_to_num(eval(python(text), {}, {**names, **FUNCTIONS}))
