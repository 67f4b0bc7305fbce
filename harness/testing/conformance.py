"""Hold evaluators to what every grader relies on: each rule is a function that names what breaks it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from harness.contracts.evaluator import Context, Evaluator, Judges, Requirements
from harness.contracts.network import Student
from harness.errors import PluginError, SubmissionError
from harness.grading.asking import evaluated
from harness.plugins.declared import undeclared
from harness.plugins.kinds import EVALUATOR
from harness.plugins.objects import problem_of
from harness.testing.tiny import context
from harness.values.evaluation import Evaluation
from harness.values.images import Images
from harness.values.measures import Measures

if TYPE_CHECKING:
    from torch import Tensor

Asked = Callable[[Context[Any], Student], Evaluation]


def broken_rules(evaluator: Evaluator[Any], options: Mapping[str, Any], student: Student) -> list[str]:
    """All that it breaks, each with what to do about it."""
    problem = problem_of(EVALUATOR, evaluator)
    if problem:
        return [problem]
    given = context(evaluator, options)
    try:
        found = _found(evaluator, student, given)
        return [
            *_of_what_it_finds(evaluator, found),
            *_repeats(evaluator, student, given, found),
            *_tells_students(evaluator, student, given, found),
            *_survives(evaluator, student, given),
        ]
    except (PluginError, SubmissionError) as error:
        return [str(error)]


def _found(evaluator: Evaluator[Any], student: Student, given: Context[Any]) -> Evaluation:
    """What it finds, with the checks that it judges by what is kept of it."""
    found = evaluated(evaluator, student, given)
    if not isinstance(evaluator, Judges):
        return found
    kept = Evaluation.model_validate_json(found.model_dump_json())
    judged = evaluator.judge(kept, Requirements(given.options, {}, given.split))
    return found.model_copy(update={"checks": (*found.checks, *judged)})


def _of_what_it_finds(evaluator: Evaluator[Any], found: Evaluation) -> Iterator[str]:
    yield from undeclared(evaluator, found)  # once more, for what it judges
    try:
        json.dumps(found.model_dump(mode="json"), allow_nan=False)
    except ValueError:
        yield "it finds NaN or infinity: leave out what could not be measured, and make a check that says why"


def _repeats(evaluator: Evaluator[Any], student: Student, given: Context[Any], first: Evaluation) -> Iterator[str]:
    pixels = given.examples.images.pixels.clone()
    weights = {name: each.clone() for name, each in student.weights.items()}
    if _found(evaluator, student, given) != first:
        yield "it finds something else the second time: give generators a seed, and keep nothing between calls"
    if not torch.equal(pixels, given.examples.images.pixels):
        yield "it changes the images that it is handed: work on a copy"
    if any(not torch.equal(each, student.weights[name]) for name, each in weights.items()):
        yield "it changes the weights that it is handed: work on a copy"


def _tells_students(
    evaluator: Evaluator[Any], student: Student, given: Context[Any], found: Evaluation
) -> Iterator[str]:
    """What is declared as public must not move when private images and labels do."""
    other = _found(evaluator, student, _with_other_private_images(given))
    known = Measures.of(evaluator.metrics, evaluator.checks)
    for name in {*found.metrics, *other.metrics}:
        if known.is_public(name) and found.metrics.get(name) != other.metrics.get(name):
            yield f"it tells students of private images by {name!r}: declare it with about='images'"
    checks, others = ({each.name: each for each in one.checks} for one in (found, other))
    for name in {*checks, *others}:
        shown = known.is_public(name) and not known.is_evidence(name)
        if shown and checks.get(name) != others.get(name):
            yield f"it tells students of private images by the check {name!r}: declare it with about='images'"
    if found.confusion != other.confusion:
        yield "its confusion counts private images: count those where context.public holds"
    public = torch.from_numpy(given.public)
    seen = replace(given, examples=_only(given, public), public=given.public[given.public], audience="student")
    if _found(evaluator, student, seen).correct is not None:
        yield "it tells students which answers are right: leave out `correct` unless context.audience is 'instructor'"


def _with_other_private_images(given: Context[Any]) -> Context[Any]:
    examples, private = given.examples, ~given.public
    labels, pixels = examples.labels.copy(), examples.images.pixels.clone()
    labels[private] = (labels[private] + 1) % examples.classes
    pixels[torch.from_numpy(private)] ^= 255
    return replace(given, examples=replace(examples, labels=labels, images=replace(examples.images, pixels=pixels)))


def _only(given: Context[Any], kept: Tensor) -> Any:
    examples = given.examples
    names = tuple(name for name, one in zip(examples.names, kept.tolist(), strict=True) if one)
    images = replace(examples.images, pixels=examples.images.pixels[kept])
    return replace(examples, images=images, labels=examples.labels[kept.numpy()], names=names)


def _survives(evaluator: Evaluator[Any], student: Student, given: Context[Any]) -> Iterator[str]:
    """Logits as hostile or broken networks give them. To refuse the hand-in is an answer, too."""
    for what, spoil in _SPOILED.items():
        try:
            found = _found(evaluator, _Spoiled(student, spoil), given)
            json.dumps(found.model_dump(mode="json"), allow_nan=False)
        except SubmissionError:
            continue
        except (PluginError, ValueError) as error:
            yield f"it does not survive {what}: {error} (harness.api.logits.predicted_classes copes with all of them)"


def _first_nan(logits: Tensor) -> Tensor:
    logits[0] = float("nan")
    return logits


_SPOILED: dict[str, Callable[[Tensor], Tensor]] = {
    "an image without a defined logit": _first_nan,
    "logits of minus infinity": lambda logits: torch.where(logits < logits.amax(1, keepdim=True), -torch.inf, logits),
    "logits of infinity": lambda logits: torch.where(logits == logits.amax(1, keepdim=True), torch.inf, logits),
    "equal logits": torch.zeros_like,
    "the largest numbers that there are": lambda logits: logits.sign() * torch.finfo(torch.float32).max,
}


class _Spoiled:
    """A student whose logits were spoiled."""

    def __init__(self, student: Student, spoil: Callable[[Tensor], Tensor]) -> None:
        self._student, self._spoil = student, spoil

    def __getattr__(self, name: str) -> Any:
        return getattr(self._student, name)

    def logits(self, images: Images, weights: Mapping[str, Tensor] | None = None, *, batch_size: int = 64) -> Tensor:
        return self._spoil(self._student.logits(images, weights, batch_size=batch_size).clone())
