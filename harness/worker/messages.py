"""Define what a grader asks of a worker: both sides write and read these.

A request names the reply it gets, one of `harness.worker.replies`. Tensors travel beside a message, by name.
"""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar

from harness.values.base import Value
from harness.values.networks import ChannelOrder, Latency
from harness.worker.replies import (
    Adopted,
    Answered,
    Built,
    Compared,
    Counted,
    Decoded,
    Described,
    Done,
    GraphLoaded,
    Opened,
    Ran,
    Shape,
    Surveyed,
    Traced,
    Tried,
    Versions,
)

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
    other_random_numbers: bool = False
    """Whether from now on every draw of random numbers gives others than usual, whatever seed the code sets."""


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
    pickled_in: str = ""
    """The file that holds a whole pickled module, to be taken in place of what an entry point makes."""
    variant: str | None = None
    """Under which name to hold it beside the network that is graded; None: it is that network."""


class Adopt(Request[Adopted]):
    """Load the tensors that come along, under the names of their file, as `load_state_dict` does it.

    That runs the hooks of torch's and the student's own modules: they rename what older versions wrote.
    """

    kind = "adopt"
    reply = Adopted

    versions: Versions
    """Of the file."""
    variant: str | None = None


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
    rows: tuple[int, int] | None = None
    """Those from the first to before the second, and no others; absent: all images."""


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


class LoadGraph(Request[GraphLoaded]):
    """Take in a graph, to be asked in place of a module. Only for workers in which no student code runs.

    Its operators run here alone, those on meta tensors among them: torch's shape code is not made for hostile numbers.
    Its constants come along.
    """

    kind = "load_graph"
    reply = GraphLoaded

    graph: str
    most_images: int
    """To be fed at a time."""
    tensor_bytes: int
    live_bytes: int
    """Results alive at one time."""


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
        Open, Decode, Build, Adopt, Survey, Describe, Logits, Recalibrate, CountMacs, MeasureLatency, PruneChannels,
        Trace, LoadGraph, AnswerProbes, Compare, AskPlugin, TryForbidden,
    )
}  # fmt: skip
