"""Define what a worker answers: both sides write and read these.

Replies are claims of a process that may have run student code: they are validated where they arrive, and one that is
malformed is that process's failure. Tensors travel beside a message, by name.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from harness.values.base import Value
from harness.worker.protocol import MAX_TENSORS, can_be_matched

_MAX_NOTES = 40
_MAX_NOTE_CHARACTERS = 1000
_MAX_MACS = 10**15

Count = Annotated[int, Field(ge=0, le=2**53, strict=True)]
Shape = tuple[Count, ...]


def _short(notes: tuple[str, ...]) -> tuple[str, ...]:
    """Few and short: a worker may send megabytes of them with every answer."""
    return tuple(each[:_MAX_NOTE_CHARACTERS] for each in dict.fromkeys(notes[:_MAX_NOTES]))


Notes = Annotated[tuple[str, ...], AfterValidator(_short)]
"""What the worker coped with, for the student to know."""

Versions = Annotated[dict[str, Annotated[int, Field(ge=0, le=10**6)]], Field(max_length=MAX_TENSORS)]
"""Dotted path of a module -> the version of its way of saving, as torch writes it beside a state_dict."""


def _matched(state: dict[str, Shape]) -> dict[str, Shape]:
    if not can_be_matched(state):
        raise ValueError("too many names, or too long ones")
    return state


State = Annotated[dict[str, Shape], AfterValidator(_matched)]
"""Names and shapes of a state_dict."""

Tied = Annotated[tuple[tuple[str, ...], ...], Field(max_length=MAX_TENSORS)]
"""Groups of names in a state_dict that are one tensor."""


class Done(Value):
    """Nothing to say; what was asked for are tensors, or has happened."""


class Opened(Value):
    """The entry point that was found."""

    source: str
    """File and line; empty where none was asked for."""
    literal_bytes: Count = 0
    """Compressed size of all numbers and texts that stand in the sources; what a class can make without its weights."""
    longest_literal: str = ""
    """The longest of them and its place, in words."""
    notes: Notes = ()


class Decoded(Value):
    """About the weights file whose tensors come along."""

    format: str
    aliases: tuple[tuple[str, ...], ...]
    """Groups of names said to share one storage."""
    storage_elements: Count
    """Elements of all distinct storages."""
    bits: dict[str, Annotated[int, Field(ge=1, le=64)]]
    """Bits per element that each tensor had in the file."""
    versions: Versions = Field(default_factory=dict)
    """The `_metadata` that came with a state_dict."""
    notes: Notes = ()


class Built(Value):
    """The module's own state_dict."""

    state: State
    parameters: tuple[str, ...]
    """Those of `state` that are parameters."""
    lazy: bool
    scripted_or_quantised: bool
    tied: Tied = ()
    versions: Versions = Field(default_factory=dict)
    """The `_metadata` of its state_dict."""
    notes: Notes = ()


class Candidate(Value):
    """Something that could make the network that is graded, and the state_dict of what it makes."""

    entry_point: str
    """As `entry_point` in submission.toml; empty: the module that the weights file holds."""
    name: str
    kind: str
    place: str
    """File and line."""
    state: State
    tied: Tied = ()
    arguments: dict[str, Any] = Field(default_factory=dict)
    """What it was called with, beside the usual arguments."""
    wording: str = ""
    """The same for definitions that say the same."""


class Surveyed(Value):
    """What can be built of a submission, in the order of the sources, those first that no other is made of."""

    candidates: Annotated[tuple[Candidate, ...], Field(max_length=200)]
    did_you_mean: Annotated[str, AfterValidator(lambda text: text[:_MAX_NOTE_CHARACTERS])] | None = None
    """For an entry point that is not there and seems misspelt."""
    missing: bool = False
    """Whether none of the entry points is defined."""


class Described(Value):
    """torchinfo's view of the network; without its figures where it failed."""

    torchinfo: Annotated[int, Field(ge=0, le=10**12)] | None
    torchinfo_error: str | None
    mult_adds: int | None
    layers: tuple[tuple[str, str, tuple[int, ...], int], ...]


class Adopted(Value):
    """The network has taken in a file by its own rules; the tensors that come along are its state then."""

    fits: bool
    refused: Annotated[str, AfterValidator(lambda text: text[:_MAX_NOTE_CHARACTERS])] | None = None
    """What its own code said against the file; None where torch only found names or shapes that differ."""


class Ran(Value):
    """The network has run over the images; its logits are in shared memory."""

    notes: Notes = ()


class Counted(Value):
    """Multiply-accumulates of one image."""

    macs: Annotated[int, Field(ge=0, le=_MAX_MACS, strict=True)]


class Traced(Value):
    """The network as a graph, or why there is none.

    The tensors that come along are those of the graph that the grader did not send, by its names.
    """

    graph: str | None = None
    """JSON of `harness.values.graph.Graph`, to be judged by `harness.graph.limits`."""
    refused: Annotated[str, AfterValidator(lambda text: text[:_MAX_NOTE_CHARACTERS])] | None = None
    operator: Annotated[str, AfterValidator(lambda text: text[:100])] | None = None
    line: Annotated[str, AfterValidator(lambda text: text[:200])] | None = None


class GraphLoaded(Value):
    """What a graph asks for, found on tensors without values; or why it is refused."""

    refused: str | None = None
    operator: str | None = None
    line: str | None = None
    macs: Count = 0
    """Multiply-accumulates of one image."""
    most_images: Count = 0
    """At a time, so that results fit into the memory that was allowed."""
    packed: dict[str, float] = Field(default_factory=dict)
    """Numbers per element of integer tensors that hold several."""


class Compared(Value):
    """How far a graph's logits are from the module's own."""

    difference: float
    """Largest difference, as a share of the largest logit; infinite where only one of both is not finite."""
    mixes_images: bool
    """Whether an image's logits depend on the other images of its batch."""


class Tried(Value):
    """What was possible although it is forbidden."""

    possible: tuple[str, ...]


class Answered(Value):
    """The answer of a plugin's own half beside student code, which checks it itself."""

    facts: dict[str, Any]
