"""Define what a grader asks of a worker, and what a worker answers: both sides write and read these.

A request names the reply it gets. Replies are claims of a process that may have run student code: they are validated
where they arrive, and one that is malformed is that process's failure. Tensors travel beside a message, by name.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import AfterValidator, Field

from harness.values.base import Value
from harness.values.networks import ChannelOrder, Latency

_MAX_NOTES = 40
_MAX_NOTE_CHARACTERS = 1000
_MAX_MACS = 10**15
_MAX_NAMES = 100_000

Count = Annotated[int, Field(ge=0, le=2**53, strict=True)]
Shape = tuple[Count, ...]


def _short(notes: tuple[str, ...]) -> tuple[str, ...]:
    """Few and short: a worker may send megabytes of them with every answer."""
    return tuple(each[:_MAX_NOTE_CHARACTERS] for each in dict.fromkeys(notes[:_MAX_NOTES]))


Notes = Annotated[tuple[str, ...], AfterValidator(_short)]
"""What the worker coped with, for the student to know."""


class Done(Value):
    """Nothing to say; what was asked for are tensors, or has happened."""


class Opened(Value):
    """The entry point that was found."""

    source: str
    """File and line; empty where none was asked for."""
    literal_bytes: Count = 0
    """Compressed size of all numbers and texts that stand in the sources; what a class can make without its weights."""
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
    notes: Notes = ()


class Built(Value):
    """The module's own state_dict."""

    state: Annotated[dict[str, Shape], Field(max_length=_MAX_NAMES)]
    """Names and shapes."""
    parameters: tuple[str, ...]
    """Those of `state` that are parameters."""
    lazy: bool
    scripted_or_quantised: bool
    notes: Notes = ()


class Candidate(Value):
    """Something that could make the network that is graded, and the state_dict of what it makes."""

    entry_point: str
    """As `entry_point` in submission.toml; empty: the module that the weights file holds."""
    name: str
    kind: str
    place: str
    """File and line."""
    state: Annotated[dict[str, Shape], Field(max_length=_MAX_NAMES)]
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


ReplyT = TypeVar("ReplyT", bound=Value)


class Request(Value, Generic[ReplyT]):
    """Base of what a worker can be asked.

    Attributes:
        kind: the frame's kind.
        reply: the class of the answer.
    """

    kind: ClassVar[str]
    reply: ClassVar[type[Value]]


class Open(Request[Opened]):
    """Take in the sources, and find and execute what the entry point needs."""

    kind = "open"
    reply = Opened

    formats: tuple[str, ...]
    """Plugin modules that decode weights, to be imported."""
    sources: tuple[str, ...]
    entry_points: tuple[str, ...]
    """Names, the first that is there counts; none: the sources are only read."""


class Decode(Request[Decoded]):
    """Decode a weights file; the answer brings its tensors."""

    kind = "decode"
    reply = Decoded

    weights: str
    max_bytes: int


class Build(Request[Built]):
    """Construct the network and try it on an empty image."""

    kind = "build"
    reply = Built

    model_arguments: dict[str, Any]
    input_shape: tuple[int, ...]
    """[channels, height, width]."""
    entry_points: tuple[str, ...] = ()
    """Instead of those of `Open`."""
    other_random_numbers: bool = False
    """Whether every draw of random numbers gives others than usual, whatever seed the code sets."""
    pickled_in: str = ""
    """The file that holds a whole pickled module, to be taken in place of what an entry point makes."""
    variant: str | None = None
    """Under which name to hold it beside the network that is graded; None: it is that network."""


class Survey(Request[Surveyed]):
    """Build what can be built, and say what it looks like: for choosing an entry point by the weights."""

    kind = "survey"
    reply = Surveyed

    entry_points: tuple[str, ...]
    everything: bool
    """Whether to build all classes and functions of the sources, not only those names."""
    model_arguments: dict[str, Any]
    """For the entry points."""
    input_shape: tuple[int, ...]
    classes: int
    weights: str
    """The file; a module that was pickled whole is built from it."""
    shapes: dict[str, Shape]
    """Of the tensors in it: arguments are looked for that explain them."""
    seconds: float


class Describe(Request[Described]):
    """Run torchinfo, with the weights that come along in the network and pruning masks live.

    Masks come as tensors called `<parameter>_mask`.
    """

    kind = "describe"
    reply = Described

    masks: tuple[str, ...]
    """Names of the masked parameters."""


class Batches(Value):
    """Images in shared memory, and how to cut and normalise them."""

    pixels: tuple[int, int, int, int]
    """Shape of the uint8 images, [N, channels, height, width]."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    batch_size: int


class Logits(Request[Ran]):
    """Forward images into the shared float32 [N, classes]; the weights come along.

    Descriptors: pixels, logits.
    """

    kind = "logits"
    reply = Ran

    images: Batches
    classes: int
    variant: str | None = None


class Recalibrate(Request[Done]):
    """Gather normalisation statistics over images, with the weights that come along; the answer brings them.

    Descriptors: pixels.
    """

    kind = "recalibrate"
    reply = Done

    images: Batches
    variant: str | None = None


class CountMacs(Request[Counted]):
    """Count the multiply-accumulates of one image."""

    kind = "macs"
    reply = Counted

    variant: str | None = None


class MeasureLatency(Request[Latency]):
    """Time forward passes of empty images, with the weights that come along."""

    kind = "latency"
    reply = Latency

    batch_size: int
    seconds: float
    variant: str | None = None


class PruneChannels(Request[Done]):
    """Make a copy with fewer channels, with the weights that come along; the answer brings what is left of them."""

    kind = "prune_channels"
    reply = Done

    order: ChannelOrder
    keep: float
    """Share of the channels that stay."""
    classes: int
    variant: str


class Trace(Request[Traced]):
    """Write the network down as a graph, with the weights that come along in it."""

    kind = "trace"
    reply = Traced

    classes: int
    batch: int
    """Images in a batch, where the network fixes their number."""
    variant: str | None = None


class LoadGraph(Request[Done]):
    """Take in a graph, to be asked in place of a module. Only for workers in which no student code runs.

    Its constants come along.
    """

    kind = "load_graph"
    reply = Done

    graph: str


class AnswerProbes(Request[Done]):
    """Run the module on `harness.graph.verification.probes`; the answer brings `logits:<number>` for each batch."""

    kind = "answer_probes"
    reply = Done

    classes: int
    sizes: tuple[int, ...]
    variant: str | None = None


class Compare(Request[Compared]):
    """Run the graph on the same probes, with the weights that come along as `weight:<name>`, beside those logits."""

    kind = "compare"
    reply = Compared

    sizes: tuple[int, ...]


class AskPlugin(Request[Answered]):
    """Call a plugin's function beside student code, in a worker that has read the sources and run nothing of them."""

    kind = "plugin"
    reply = Answered

    half: str
    """`module:name`, in an installed plugin (`harness.plugins.worker_half_name`)."""
    facts: dict[str, Any]


class TryForbidden(Request[Tried]):
    """Attack the sandbox; see `harness.sandbox.selftest`."""

    kind = "probe"
    reply = Tried

    file: str
    """A path outside the box."""
    folder: str
    """Likewise."""
    port: int
    """A TCP port that listens on the loopback."""
    abstract: str
    """The name of an abstract socket that listens."""


REQUESTS: dict[str, type[Request[Any]]] = {
    each.kind: each
    for each in (
        Open, Decode, Build, Survey, Describe, Logits, Recalibrate, CountMacs, MeasureLatency, PruneChannels,
        Trace, LoadGraph, AnswerProbes, Compare, AskPlugin, TryForbidden,
    )
}  # fmt: skip
