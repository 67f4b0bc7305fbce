"""Tell what a parameter, global or attribute of a student's KD loss means, by its name alone.

The same few roles are spelt in dozens of ways in real hand-ins (`outputs`, `y_s`, `soft_targets`, `lambda_`, `T_kd`).
Each name gets a score per role; binding picks the assignment with the best sum. What two weights mean is told by
`harness_kd.worker.weights`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

Role = Literal["student", "labels", "teacher", "alpha", "hard_weight", "temperature", "settings"]

TENSORS: tuple[Role, ...] = ("student", "labels", "teacher")
NUMBERS: tuple[Role, ...] = ("alpha", "hard_weight", "temperature")
SURE = 5
"""A score below this is a guess, and other readings are tried as well."""
_CLEAR = 6
"""Globals called `a` or `w` are anything; only a clear name is set from outside."""

_TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+|\d+")
_TEACHER = {"teacher", "teachers", "teach", "tea", "tch", "tutor", "tutors", "expert", "experts", "ensemble"}
_STUDENT = {"student", "students", "stu", "stud", "std"}
_LOGITS = {"logits", "logit", "output", "outputs", "out", "outs", "y", "z", "pred", "preds", "prediction",
           "predictions", "score", "scores", "feat", "x"}  # fmt: skip
_LABELS = {"label", "labels", "lbl", "lbls", "gt", "truth", "groundtruth", "true", "gold"}
_TARGETS = {"target", "targets", "tgt", "targ"}
_TEMPERATURE = re.compile(r"temp(er|at|s$|$)|tau$|τ$")
_DERIVED = {"sq", "squared", "square", "inv", "inverse", "log", "sqrt", "pow", "max", "min", "2", "decay", "lr",
            "dropout", "mixup", "cutmix", "smoothing", "momentum", "pos"}  # fmt: skip
"""Words of numbers that are made from α or T, or are other numbers."""
_ALPHA = {"alpha": 10, "alphas": 10, "α": 10, "lambda": 8, "lam": 8, "lamda": 8, "lambd": 8, "lmbda": 8, "lmbd": 8,
          "lmd": 8, "λ": 8, "weight": 7, "wgt": 7, "percent": 7, "pct": 7, "percentage": 7, "ratio": 6, "coef": 6,
          "coeff": 6, "coefficient": 6, "coefs": 6, "coeffs": 6, "factor": 6, "fraction": 6, "frac": 6,
          "proportion": 6, "portion": 6, "balance": 6, "blend": 6, "importance": 6, "wt": 5, "mix": 5, "a": 5,
          "beta": 4, "gamma": 4, "β": 4, "γ": 4, "w": 4, "b": 3}  # fmt: skip
_HARD = {"hard", "ce", "label", "labels", "cls", "xent", "nll", "student", "task", "gt", "supervised"}
_SOFT = {"soft", "softened", "distilled"}
_SOFT_SIDE = _SOFT | {"kd", "kl", "kld", "kldiv", "div", "teacher", "distill", "distil", "distillation"}
_SETTINGS = {"params", "param", "args", "arg", "opt", "opts", "cfg", "config", "conf", "hparams", "hp", "hyper",
             "hyperparams", "hyperparameters", "settings", "options"}  # fmt: skip


def tokens(name: str) -> list[str]:
    """The words of an identifier, lower case: `y_S` and `yS` are `y`, `s`."""
    return [token.lower() for token in _TOKEN.findall(name)]


def affinity(name: str) -> dict[Role, int]:
    """Score per role the name may have; roles it cannot have are absent."""
    words = tokens(name)
    found = _number(name, words) or _tensor(name, words)
    if not found and set(words) & _SETTINGS:
        return {"settings": 8}
    return found


def side(name: str) -> Role | None:
    """Which term a weight of that name belongs to, where the name says so: `kd_w` the soft one, `ce_w` the hard one."""
    words = set(tokens(name))
    soft, hard = bool(words & _SOFT_SIDE), bool(words & _HARD)
    if soft == hard:
        return None
    return "alpha" if soft else "hard_weight"


def is_weight(name: str) -> bool:
    """Whether it may be the weight of one of the two terms."""
    return bool({"alpha", "hard_weight"} & affinity(name).keys())


def number_role(name: str) -> Role | None:
    """α, 1-α or T, if a name outside the parameters clearly says so."""
    scores = {role: score for role, score in affinity(name).items() if role in NUMBERS and score >= _CLEAR}
    if scores:
        return max(scores.items(), key=lambda scored: scored[1])[0]
    whole = ["beta", "gamma", "β", "γ"]
    return "alpha" if set(tokens(name)) & set(whole) and is_weight(name) else None


def _number(name: str, words: list[str]) -> dict[Role, int]:
    known = set(words)
    if any(map(_TEMPERATURE.match, words)):
        return {} if known & _DERIVED else {"temperature": 10}
    if name == "t":
        return {"temperature": 4, "teacher": 5}
    if "T" in re.split(r"_|\d", name) and not known & (_LOGITS | _TEACHER):
        return {} if known & _DERIVED else {"temperature": 9 if name == "T" else 8}
    weight = max((_ALPHA[word] for word in words if word in _ALPHA), default=0)
    letters = [word for word in words if not word.isdigit()]
    if known & {"w", "wt"} and side(name):
        return {side(name) or "alpha": 9}
    if not weight or (len(letters) > 1 and weight <= SURE) or known & _DERIVED - {"2"}:
        return {}
    return {"hard_weight": 9} if known & _HARD and weight < 10 else {"alpha": weight}


def _tensor(name: str, words: list[str]) -> dict[Role, int]:  # noqa: PLR0911 - one rule after the other
    known = set(words)
    if known & (_TEACHER | _STUDENT):
        return {"teacher" if known & _TEACHER else "student": 10}
    marked = known & (_LOGITS | {"p", "q", "log", "probs", "prob"}) or (words[-1:] and words[-1].isdigit())
    if len(words) > 1 and marked and {words[0], words[-1]} & {"t", "s"}:
        return {"teacher": 8} if "t" in {words[0], words[-1]} else {"student": 8}
    if known & _SOFT and not known & _HARD - _LABELS:
        return {"teacher": 8}
    if name in ("s", "z", "x"):
        return {"student": 6 if name == "s" else 3}
    if name == "y":
        return {"labels": 5, "student": 2}
    if known & _LABELS or "hard" in known:
        return {"labels": 8}
    if known & _TARGETS:
        return {"labels": 3, "teacher": 4} if known & _LOGITS else {"labels": 7, "teacher": 1}
    if words[:1] == ["t"] and known & {"list", "all", "outs"}:
        return {"teacher": 8}
    if known & (_LOGITS | {"hat", "yhat", "input", "inputs"}):
        return {"student": 5}
    return {"labels": 3} if known & {"class", "classes", "cls", "c", "l"} else {}


def assign(names: Iterable[str], roles: Iterable[Role]) -> dict[Role, str]:
    """The assignment of names to roles with the highest total score; each name and role at most once."""
    scores = {name: affinity(name) for name in names}
    return _best(list(roles), scores, frozenset())[1]


def _best(roles: list[Role], scores: dict[str, dict[Role, int]], used: frozenset[str]) -> tuple[int, dict[Role, str]]:
    if not roles:
        return 0, {}
    role, rest = roles[0], roles[1:]
    best = _best(rest, scores, used)
    for name, score in scores.items():
        if name in used or role not in score:
            continue
        total, others = _best(rest, scores, used | {name})
        if total + score[role] > best[0]:
            best = total + score[role], {role: name, **others}
    return best
