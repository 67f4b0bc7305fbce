"""Make the check `kd_loss`: is the student's knowledge-distillation loss right, and if not, which mistake is it?

The function runs in the sandbox on the grader's probes; only raw values and gradients come back. They are compared
with NumPy float64 references here, where no student code has run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import field_validator

from harness.api import (
    Check,
    CheckSpec,
    Context,
    Evaluation,
    Evaluator,
    Options,
    Reads,
    Student,
    SubmissionError,
    hookimpl,
)
from harness_kd.catalogue import mistakes
from harness_kd.judgement import Judgement, JudgingRules
from harness_kd.reference import Probe, as_json_setting, probes
from harness_kd.reply import Found, Reading, function, mapping, readings, text, texts
from harness_kd.verdict import decide
from harness_kd.worker.answer import answer

if TYPE_CHECKING:
    from torch import Tensor

NAME = "kd_loss"
SIGNATURE = "(student logits, labels, teacher logits, alpha, T)"
_TEACHERS = {
    "list": "two equal teachers in a list",
    "stack": "two equal teachers in a tensor",
    "dict": "two equal teachers in a dictionary",
    "probabilities": "the teacher as softened probabilities",
    "log-probabilities": "the teacher as softened log-probabilities",
}  # fmt: skip


class KDLossOptions(Options):
    """The table `[evaluators.kd_loss]`."""

    required: bool = True
    """Whether a submission without a KD loss fails; otherwise nothing is said of it."""
    accept: tuple[str, ...] = ()
    """Forms of the guide's catalogue that also count as right, such as "reverse_kl", alone or together."""
    stability: Literal["warn", "fail"] = "warn"
    """What NaN at logits of ±10,000 means."""

    @field_validator("accept")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        known = {mistake.name for mistake in mistakes()} | {"one_hot_labels"}
        unknown = sorted(set(names) - known)
        if unknown:
            raise ValueError(f"unknown forms {', '.join(unknown)}; known: {', '.join(sorted(known))}")
        return names


class KDLoss:
    """Checks whether the knowledge-distillation loss is right, and names its mistake if it is not."""

    name = NAME
    Options = KDLossOptions
    metrics = ()
    checks = (CheckSpec(NAME, about="weights"),)
    reads: frozenset[Reads] = frozenset({"hand_in"})

    def evaluate(self, student: Student, context: Context[KDLossOptions]) -> Evaluation:
        """One check, `kd_loss`; none when there is no function and none is required."""
        check = _check(student, context)
        return Evaluation(checks=() if check is None else (check,))


@hookimpl
def harness_evaluators() -> Iterable[Evaluator[KDLossOptions]]:
    return [KDLoss()]


def _check(student: Student, context: Context[KDLossOptions]) -> Check | None:
    options = context.options
    tried = probes(context.examples.classes)
    facts = {
        "functions": list(context.kd_functions),
        "near": student.facts.source,
        "probes": [as_json_setting(probe) for probe in tried],
    }
    try:
        reply = student.ask(
            answer, facts, _tensors(tried), doing="running the KD loss", limit_seconds=context.limit_seconds
        )
    except SubmissionError as error:
        return _failed_to_run(error, context.limit_seconds)
    if "missing" in reply.facts:
        return _missing(mapping(reply.facts["missing"]), context.kd_functions) if options.required else None
    if "unusable" in reply.facts:
        return _unusable(function(reply.facts), mapping(reply.facts["unusable"]))
    tries = readings(reply, tried)
    if not tries:
        return Check.failed(NAME, f"running {_named(function(reply.facts))} gave no usable answer")
    return _told(*decide(tries, JudgingRules(accept=frozenset(options.accept), stability=options.stability)))


def _told(reading: Reading, judgement: Judgement) -> Check:
    notes = "".join(f"; {note}" for note in reading.found.notes)
    reason = f"{_named(reading.found)}: {judgement.reason} ({_bound(reading)}{notes})"
    return Check(name=NAME, verdict=judgement.verdict, reason=reason, hint=judgement.hint)


def _bound(reading: Reading) -> str:
    """How the parameters were read, in words."""
    parts = [f"{role}={reading.roles[role]}" for role in ("student", "labels", "teacher") if role in reading.roles]
    for symbol, name in (("α", "alpha"), ("T", "temperature")):
        parts.append(f"{symbol} through {reading.where[name]}" if name in reading.where else f"{symbol} not settable")
    if len(reading.plan) > 1 or "hard_weight" in reading.plan.values():
        words = {"alpha": "α", "hard_weight": "1-α"}
        parts += [f"{name}={words[role]}" for name, role in reading.plan.items() if role in words]
    parts += ["α in percent"] * reading.percent + [_TEACHERS[form] for form in (reading.teacher,) if form in _TEACHERS]
    guess = "by position: " if reading.guessed else "read as "
    return guess + ", ".join(parts)


def _named(found: Found) -> str:
    return f"`{found.name}`" + (f" ({found.place})" if found.place.strip() else "")


def _tensors(tried: list[Probe]) -> dict[str, Tensor]:
    import torch

    tensors: dict[str, Tensor] = {}
    for probe in tried:
        tensors[f"{probe.inputs}.student"] = torch.from_numpy(probe.case.student.copy())
        tensors[f"{probe.inputs}.labels"] = torch.from_numpy(probe.case.labels.copy())
        tensors[f"{probe.inputs}.teacher"] = torch.from_numpy(probe.case.teacher.copy())
    return tensors


def _failed_to_run(error: SubmissionError, limit_seconds: float) -> Check:
    said = text(error.reason, 600)
    words = {
        "timed_out": f"the KD loss did not finish within {limit_seconds:g} seconds: {said}",
        "out_of_memory": f"the KD loss ran out of memory: {said}",
        "crashed": f"the KD loss crashed: {said}",
        "rejected": f"the KD loss could not be run: {said}",
    }
    hints = {
        "timed_out": "look for a loop that never ends, or training code inside the loss",
        "out_of_memory": "a KD loss needs no more memory than its logits",
        "crashed": "call it once at home on random logits of shape [7, classes] and labels of shape [7]",
        "rejected": None,
    }
    return Check.failed(NAME, words[error.status], error.hint or hints[error.status])


def _missing(said: Mapping[str, Any], wanted: tuple[str, ...]) -> Check:
    defined = texts(said.get("defined"), 12)
    has = f"the submission defines {', '.join(defined)}" if defined else "the submission defines no function"
    names = " or ".join(f"`{name}`" for name in wanted) or "a KD loss"
    return Check.failed(
        NAME,
        f"no KD loss was found: looked for {names} and for names and parameters like one; {has}",
        f'define {wanted[0] if wanted else "kd_loss"}{SIGNATURE}, or name yours in submission.toml: kd_function = "…"',
    )


def _unusable(found: Found, said: Mapping[str, Any]) -> Check:
    what = text(said.get("text"), 600)
    if said.get("why") == "several":
        return Check.could_not_check(NAME, what, text(said.get("hint"), 300))
    if said.get("why") == "parameters":  # nothing was judged, so nothing is held against it
        return Check.could_not_check(
            NAME,
            f"{_named(found)} cannot be called: {what}",
            f"its parameters should be {SIGNATURE}, in any order and with names that say which is which",
        )
    return Check.failed(NAME, f"{_named(found)} cannot be loaded: {what}", "make the file run up to its definition")
