"""Define what is said of networks: facts, replies, layers, latency, further checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    Field,
    model_validator,
)

from harness.values.base import Value
from harness.values.graph import Graph

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


class Layer(Value):
    """One leaf layer of a network, as torchinfo tells it beside student code: a claim."""

    name: str
    """Dotted, as in `named_modules`."""
    kind: str
    """The name of its class."""
    output: tuple[int, ...]
    """Shape for a batch of one."""
    parameters: int
    """Their number."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A worker's answer: JSON facts (claims of a process that ran student code) and tensors."""

    facts: dict[str, Any]
    tensors: dict[str, Tensor]


ChannelOrder = Literal["l1", "gamma"]
"""Which channels go first: those of small L1 norm, or of small signed BatchNorm scale (HW7's network slimming)."""


class Latency(Value):
    """Seconds of one forward pass as the worker measured them: a claim, and never the same twice."""

    median: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """Of all runs."""
    iqr: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """From the first quartile to the third."""


class Verification(Value):
    """Whether a network was measured as a graph of plain operators, in which no student code runs."""

    verified: bool
    """Whether it was."""
    reason: str | None = None
    """Why not."""
    operator: str | None = None
    """The operator that stood in the way, if one did."""
    digest: str | None = None
    """Of the graph and all its tensors."""
    operators: int = 0
    """Different operators in the graph."""


@dataclass(frozen=True, slots=True, eq=False)
class TracedNetwork:
    """An accepted graph with the tensors that are not among the weights."""

    graph: Graph
    text: str
    """Its JSON."""
    constants: Mapping[str, Tensor]
    """By the graph's names: literals, tables, what a closure holds."""
    macs: int = 0
    """Multiply-accumulates of one image."""
    packed: Mapping[str, float] = field(default_factory=dict)
    """Numbers per element of integer tensors that hold several, by the graph's names."""
    constructed: frozenset[str] = frozenset()
    """Buffers and constants that a second instance holds with the same values, built in a fresh process from sources
    alone and with other random numbers: they were not learned."""
    literal_bytes: int = 0
    """Compressed size of the numbers and texts that stand in the sources."""


class Checkpoint(Value):
    """A weights file beside the graded one, and the network it belongs to; a file name alone is the same network."""

    file: Annotated[str, Field(min_length=1, max_length=200)]
    """Relative to submission.toml."""
    entry_point: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """The class or function that makes its network; absent: that of the submission."""
    model_arguments: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments for it, such as other widths; absent: those of the submission."""

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, given: Any) -> Any:
        named = {"file": given} if isinstance(given, str) else given
        if isinstance(named, dict) and isinstance(named.get("file"), str):
            named = {**named, "file": PurePosixPath(named["file"].replace("\\", "/")).as_posix()}
        return named


class Beside(Value):
    """What an unverified network's code has at hand on every image, beside the weights that are counted."""

    literal_bytes: int = 0
    """Compressed size of the numbers and texts that stand in its sources."""
    longest_literal: str = ""
    """The longest of them and its place, in words of the process that runs it."""
    compiled: tuple[str, ...] = ()
    """Compiled modules that were handed in, which it does not see."""
    hidden_bytes: int = 0
    """Compressed size of other files, comments and outputs of notebooks; 0 where it runs without them."""
    files: tuple[str, ...] = ()
    """Those with most of it."""
    because: str | None = None
    """Why it cannot run on its code alone; None: it does."""


class ModelFacts(Value):
    """The worker's description of the model it built. Claims: the grader's own counts decide."""

    source: str
    """File and line of the entry point."""
    weights_format: str
    """The plugin that decoded the file."""
    stored_bits: dict[str, int] = Field(default_factory=dict)
    """Bits per element each decoded tensor had in the file."""
    state: dict[str, tuple[int, ...]]
    """Names and shapes of the built module's own state_dict."""
    parameters: tuple[str, ...]
    """The names in `state` that are parameters; the others are buffers."""
    aliases: tuple[tuple[str, ...], ...] = ()
    """Groups of decoded tensors said to share one storage (tied weights)."""
    storage_elements: int = Field(ge=0)
    """Elements of all distinct storages of the decoded tensors."""
    torchinfo: Annotated[int, Field(ge=0, le=10**12)] | None
    """`total_params` as torchinfo reports it; None when it failed, with `torchinfo_error`."""
    torchinfo_error: str | None = None
    """Why torchinfo failed."""
    mult_adds: int | None = None
    """Multiply-accumulates of one image as torchinfo counts them."""
    layers: tuple[tuple[str, str, tuple[int, ...], int], ...] = ()
    """Per leaf layer: dotted name, class, output shape, parameters (torchinfo's)."""
    lazy: bool = False
    """Whether it had layers whose shapes the first image decided."""
    scripted_or_quantised: bool = False
    """Whether torchinfo cannot see all of it, because parts are scripted or quantised."""
    beside: Beside | None = None
    """What else it may know, where its code runs on every image; found by the grader."""
    notes: tuple[str, ...] = ()
    """What was coped with: dropped prefixes, left-out training code, a class defined twice, …"""


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """The assignment's large network, measured once for all submissions."""

    label: str
    decoded: Mapping[str, Tensor]
    facts: ModelFacts
    macs: int | None
    predictions: NDArray[np.int64]
    """[N], of `Context.examples` in their order."""


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What was handed in where only predicted classes were: no code, no weights."""

    classes: NDArray[np.int64]
    """[N], of `Context.examples` in their order."""
    claims: Mapping[str, float]
    claimed_curves: Mapping[str, tuple[tuple[float, float], ...]]


@dataclass(frozen=True, slots=True)
class RawWeights:
    """Decoded content beside what its dtypes do not tell.

    Attributes:
        content: usually a dict of tensors.
        bits: stored width of the tensors whose dtype says something else.
        notes: what a reader should know about how it was stored.
    """

    content: Any
    bits: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
