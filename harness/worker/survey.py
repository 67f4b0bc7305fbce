"""Build whatever may be the network, to see which of it the weights fit: by itself, or with another argument.

All that is said here comes from student code and decides nothing: the grader matches names and shapes itself, and what
it chooses is built afresh in another worker.
"""

from __future__ import annotations

import ast
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from torch import nn

from harness.worker.arguments import Shapes, arguments_for, plain_shapes
from harness.worker.building import build
from harness.worker.messages import Survey
from harness.worker.model import Model
from harness.worker.replies import Built, Candidate, Surveyed
from harness.worker.sources.named import Definition

if TYPE_CHECKING:
    from harness.worker.sources.definitions import Located, Sources

_MAX_CANDIDATES = 60
_MAX_SEARCHES = 12
_SHARE_OF_TIME = 0.5
_SEARCH_SECONDS = 4.0


def survey(sources: Sources, request: Survey, pickled: Callable[[str], nn.Module]) -> Surveyed:
    """What can be built, with the arguments that explain the weights where nothing does as it is."""
    until = time.monotonic() + _SHARE_OF_TIME * request.seconds
    makers = _imported(sources, request)
    for each in _asked(sources, request):
        if time.monotonic() > until or len(makers) >= _MAX_CANDIDATES:
            break
        makers += _makers(sources, each, request)
    found = [each.candidate({}, each.built) for each in makers if each.built is not None]
    wanted = plain_shapes(request.shapes)
    # Arguments are never taken by themselves, only offered.
    if request.everything and not any(plain_shapes(each.state) == wanted for each in found):
        closest = sorted(makers, key=lambda each: -each.likeness(wanted))
        for maker in [each for each in closest if each.likeness(wanted)][:_MAX_SEARCHES]:
            found += maker.explained(request.shapes, until)
    if not request.everything:
        found += _from_pickle(sources, request, pickled)
    missing = not any(map(sources.has, request.entry_points))
    meant = sources.did_you_mean(request.entry_points) if missing else None
    return Surveyed(candidates=tuple(found), did_you_mean=meant, missing=missing)


def _asked(sources: Sources, request: Survey) -> Iterator[Definition]:
    named = {id(each.node): each for name in request.entry_points for each in sources.meant_by(name)}
    yield from named.values()
    if request.everything:
        yield from (each for each in sources.makers() if id(each.node) not in named)


class _Maker:
    """A class, function or instance that is there, and what it makes as it is usually called."""

    def __init__(self, definition: Definition, key: str, entry: Located, request: Survey) -> None:
        self._definition, self._key, self._entry, self._request = definition, key, entry, request
        named = {definition.name, key} & set(request.entry_points)
        self._usual = request.model_arguments if named else {}
        self.built = self._build({})

    def likeness(self, wanted: Shapes) -> int:
        """How many tensors it has under the names of the file; between, where it cannot be built without arguments."""
        if self.built is None:
            return max(1, len(wanted) // 2)
        return len(plain_shapes(self.built.state).keys() & wanted.keys())

    def explained(self, shapes: Shapes, until: float) -> list[Candidate]:
        """With the arguments that explain the weights."""
        make = self._entry.object
        if isinstance(make, nn.Module) or not callable(make):
            return []
        soon = min(until, time.monotonic() + _SEARCH_SECONDS)
        channels, classes = self._request.input_shape[0], self._request.classes
        found = arguments_for(make, self._usual, shapes, channels=channels, classes=classes, until=soon)
        built = self._build(found) if found else None
        return [self.candidate(found, built)] if found and built is not None else []

    def candidate(self, arguments: dict[str, Any], built: Built) -> Candidate:
        return Candidate(
            entry_point=self._key,
            name=self._definition.name,
            kind=self._definition.kind,
            place=f"{self._definition.file} line {self._definition.line}",
            state=built.state,
            tied=built.tied,
            arguments=arguments,
            wording=self._definition.wording,
        )

    def _build(self, arguments: Mapping[str, Any]) -> Built | None:
        given, shape = {**self._usual, **arguments}, self._request.input_shape
        return _outline(lambda: build(self._entry, given, shape))


def _imported(sources: Sources, request: Survey) -> list[_Maker]:
    """Entry points that no file defines but one imports: `from nets import Small as StudentNet`."""
    found = []
    for name in request.entry_points:
        with contextlib.suppress(BaseException):
            if not sources.meant_by(name) and sources.has(name):
                entry = sources.load(name)
                node = ast.Pass(lineno=entry.line)
                definition = Definition(entry.name, "assignment", entry.file, entry.line, node, entry.file)
                found.append(_Maker(definition, name, entry, request))
    return found


def _makers(sources: Sources, definition: Definition, request: Survey) -> list[_Maker]:
    try:
        key = sources.key_of(definition)
        return [_Maker(definition, key, sources.load(key), request)]
    except BaseException:  # noqa: BLE001 - whatever a student's definition raises: it cannot be offered
        return []


def _from_pickle(sources: Sources, request: Survey, pickled: Callable[[str], nn.Module]) -> list[Candidate]:
    try:
        module = pickled(request.weights)
    except BaseException:  # noqa: BLE001 - most weights files hold no module
        return []
    built = _outline(lambda: Model(module, request.input_shape))
    if built is None:
        return []
    name = type(module).__name__
    places = [f"{each.file} line {each.line}" for each in sources.names() if each.name == name]
    return [
        Candidate(
            entry_point="",
            name=name,
            kind="pickle",
            place=places[-1] if places else request.weights,
            state=built.state,
            tied=built.tied,
        )
    ]


def _outline(made: Callable[[], Model]) -> Built | None:
    try:
        return made().outline()
    except BaseException:  # noqa: BLE001 - as above
        return None
