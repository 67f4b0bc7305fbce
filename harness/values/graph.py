"""A network as plain data: operators, what they are applied to, and the tensors they read. It holds no code.

    tensors   what the network keeps, by the names of its state_dict, values apart
    nodes     one call of an ATen operator each, in an order in which every result is defined before it is used
    output    the node whose result are the logits [N, classes]

An argument is a constant, a reference, or a list of those. Sizes that depend on the batch are nodes like all others
(`aten.sym_size.int` and integer arithmetic); their results are ints. A device is nowhere: it is the reader's choice.

JSON has no infinity, so such numbers are written `{"number": "inf"}`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr

from harness.values.base import Value

INPUT = "input"  # how arguments name the batch of images

Name = Annotated[str, Field(min_length=1, max_length=400)]
Size = Annotated[StrictInt, Field(ge=0, lt=2**40)]
Shape = Annotated[tuple[Size, ...], Field(max_length=12)]
DType = Literal[
    "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64",
    "uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2", "complex64", "complex128",
]  # fmt: skip
TensorKind = Literal["parameter", "buffer", "constant"]


class Result(Value):
    """What a node computes; `INPUT` names the batch. With `item`, one tensor of a tuple result."""

    node: Name
    item: Annotated[StrictInt, Field(ge=0, lt=4096)] | None = None


class Stored(Value):
    """One of the graph's tensors."""

    tensor: Name


class ElementType(Value):
    """A dtype, as an argument of `_to_copy`, `sum`, `zeros` and others."""

    dtype: DType


class MemoryFormat(Value):
    """A memory format, as an argument of `clone` and others. It changes no value."""

    memory_format: Literal["contiguous_format", "channels_last", "channels_last_3d", "preserve_format"]


class Special(Value):
    """A number that JSON cannot write."""

    number: Literal["inf", "-inf", "nan"]


Integer = Annotated[StrictInt, Field(ge=-(2**63), lt=2**63)]
Finite = Annotated[StrictFloat, Field(allow_inf_nan=False)]
Text = Annotated[StrictStr, Field(max_length=200)]
Atom = StrictBool | Integer | Finite | Text | Result | Stored | ElementType | MemoryFormat | Special | None
Argument = Atom | Annotated[tuple[Atom, ...], Field(max_length=4096)]


class Node(Value):
    """One call of an operator.

    Args:
        operator: with its overload, such as `aten.conv2d.default`.
        arguments: by position; what the operator's schema adds as defaults may be left out.
        keywords: by name.
        module: path of the module that called it, such as `cnn.0.0`; empty for the network itself.
        line: `file:line` of the call in the network's source, where torch tells. Nothing depends on it.
    """

    name: Name
    operator: Annotated[str, Field(min_length=1, max_length=100)]
    arguments: tuple[Argument, ...] = ()
    keywords: dict[Name, Argument] = Field(default_factory=dict)
    module: Annotated[str, Field(max_length=400)] = ""
    line: Annotated[str, Field(max_length=400)] | None = None


class TensorEntry(Value):
    """What is known of a tensor without its values.

    Args:
        kind: `parameter` and `buffer` are entries of the state_dict; a `constant` is any other tensor the network
            reads: an attribute, a closure's variable, a literal in the source, a buffer that is not persistent.
        aliases: further names of this very tensor in the state_dict (tied weights, modules used under two names).
        storage: the tensor whose memory this one shares, such as the embedding that an output layer uses transposed;
            its own name where it shares none that was named before.
    """

    kind: TensorKind
    dtype: DType
    shape: Shape
    aliases: tuple[Name, ...] = ()
    storage: Name


class Input(Value):
    """The batch of images.

    Args:
        shape: [channels, height, width] of one image.
        batch: images of a batch; None where any number will do. Fewer are padded.
        dtype: of the images. The graph itself converts them to the network's own.
    """

    shape: Annotated[tuple[Annotated[StrictInt, Field(gt=0, lt=2**20)], ...], Field(min_length=1, max_length=4)]
    batch: Annotated[StrictInt, Field(gt=0, le=4096)] | None = None
    dtype: Literal["float32"] = "float32"


class Graph(Value):
    """A traced network.

    Args:
        classes: columns of the logits.
        notes: what a reader should know of how it was traced.
    """

    version: Literal[1] = 1
    input: Input
    classes: Annotated[StrictInt, Field(gt=0, le=2**20)]
    tensors: dict[Name, TensorEntry]
    nodes: tuple[Node, ...]
    output: Result
    notes: tuple[Annotated[str, Field(max_length=1000)], ...] = ()
