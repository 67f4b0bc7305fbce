"""Build whatever may be the network, to see which of it the weights fit: by itself, or with another argument.

All that is said here comes from student code and decides nothing: the grader matches names and shapes itself, and what
it chooses is built afresh in another worker.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from torch import nn

from harness.errors import SubmissionError
from harness.worker.arguments import arguments_for
from harness.worker.messages import Candidate, Survey, Surveyed
from harness.worker.model import Model, build

if TYPE_CHECKING:
    from harness.worker.sources.definitions import Definition, Sources

_MAX_CANDIDATES = 60
_SHARE_OF_TIME = 0.5


def survey(sources: Sources, request: Survey, pickled: Callable[[str], nn.Module]) -> Surveyed:
    """What can be built, with the arguments that explain the weights where the usual ones do not."""
    until = time.monotonic() + _SHARE_OF_TIME * request.seconds
    found: list[Candidate] = []
    for each in _asked(sources, request):
        if time.monotonic() > until or len(found) >= _MAX_CANDIDATES:
            break
        found += _candidates(sources, each, request, until)
    if not request.everything:
        found += _from_pickle(sources, request, pickled)
    absent = [name for name in request.entry_points if not sources.keys(name)]
    meant = sources.did_you_mean(absent) if len(absent) == len(request.entry_points) else None
    return Surveyed(candidates=tuple(found), did_you_mean=meant)


def _asked(sources: Sources, request: Survey) -> Iterator[Definition]:
    named = {id(each.node): each for name in request.entry_points for each in sources.keys(name)}
    yield from named.values()
    if request.everything:
        yield from (each for each in sources.makers() if id(each.node) not in named)


def _candidates(sources: Sources, definition: Definition, request: Survey, until: float) -> Iterator[Candidate]:
    """As it is usually built, and as the weights would have it."""
    named = definition.name in {name.rpartition(":")[2] for name in request.entry_points}
    usual = request.model_arguments if named else {}
    try:
        key = sources.key_of(definition)
        entry = sources.load(key)

        def outline(arguments: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
            return dict(build(entry, {**usual, **arguments}, request.input_shape).outline().state)

        def candidate(arguments: dict[str, Any], state: dict[str, tuple[int, ...]]) -> Candidate:
            return Candidate(
                entry_point=key,
                name=definition.name,
                kind=definition.kind,
                place=f"{definition.file} line {definition.line}",
                state=state,
                arguments=arguments,
            )
    except BaseException:  # noqa: BLE001 - whatever a student's definition raises: it cannot be offered
        return
    state = _state(lambda: outline({}))
    if state is not None:
        yield candidate({}, state)
    if isinstance(entry.object, nn.Module) or not callable(entry.object):
        return
    arguments = arguments_for(
        entry.object, usual, request.shapes, channels=request.input_shape[0], classes=request.classes, until=until
    )
    state = _state(lambda: outline(arguments)) if arguments else None
    if arguments and state is not None:
        yield candidate(arguments, state)


def _from_pickle(sources: Sources, request: Survey, pickled: Callable[[str], nn.Module]) -> list[Candidate]:
    try:
        module = pickled(request.weights)
    except BaseException:  # noqa: BLE001 - most weights files hold no module
        return []
    state = _state(lambda: dict(Model(module, request.input_shape).outline().state))
    if state is None:
        return []
    name = type(module).__name__
    places = [f"{each.file} line {each.line}" for each in sources.names() if each.name == name]
    return [
        Candidate(
            entry_point="", name=name, kind="pickle", place=places[-1] if places else request.weights, state=state
        )
    ]


def _state(made: Callable[[], dict[str, tuple[int, ...]]]) -> dict[str, tuple[int, ...]] | None:
    try:
        return made()
    except (MemoryError, SubmissionError):
        return None
    except BaseException:  # noqa: BLE001 - as above
        return None
