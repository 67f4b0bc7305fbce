"""Pack what running a hand-in's code once has given, so that its network is measured later without that code.

said      JSON: the graph, what was verified, what the worker told, notes
tensors   safetensors, compressed with Zstandard: weights, the file's own tensors, masks, constants; each once
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.graph.limits import well_formed
from harness.graph.shapes import Limits as GraphLimits
from harness.values.base import Value
from harness.values.networks import ModelFacts, TracedNetwork, Verification
from harness.values.rules import AssignmentFile

if TYPE_CHECKING:
    from torch import Tensor

    Weights = Mapping[str, Tensor]

_LEVEL = 3
_GROUPS = ("weights", "decoded", "masks", "constants")


class Said(Value):
    """What is kept of a hand-in beside its tensors."""

    facts: ModelFacts
    """What the worker told of the network."""
    verification: Verification
    """Whether it can be measured from what is kept."""
    graph: str | None
    """The JSON of its graph, where it is verified."""
    macs: int = 0
    """See `harness.values.networks.TracedNetwork`, as for the next three."""
    packed: Mapping[str, float] = {}
    constructed: tuple[str, ...] = ()
    literal_bytes: int = 0
    notes: tuple[str, ...] = ()
    """What was coped with."""
    printed: str = ""
    """What its code printed, for the instructor."""
    files: str = ""
    """Digest of the hand-in; empty in what older versions kept."""


@dataclass(frozen=True, slots=True, eq=False)
class Intake:
    """A hand-in after its code has run.

    Attributes:
        weights: what is sent in with every evaluation, by the module's own state names.
        decoded: the tensors of the weights file as handed in.
        masks: live pruning masks.
        constants: what the graph reads beside the weights.
        complete: whether the tensors are here; they are not kept where they are too many.
    """

    said: Said
    weights: Weights
    decoded: Weights
    masks: Weights
    constants: Weights
    complete: bool = True

    def of_files(self, digest: str) -> Intake:
        """The same, said to be of the hand-in with this digest: whoever forgets that finds it."""
        return replace(self, said=self.said.model_copy(update={"files": digest}))

    @property
    def measurable(self) -> bool:
        """Whether it is enough to measure the network by, without its code."""
        return self.complete and self.said.verification.verified

    def traced(self, rules: AssignmentFile, input_shape: tuple[int, ...]) -> TracedNetwork:
        """The network of a verified hand-in.

        Raises:
            GraphRefused: what was kept is no graph that is accepted today.
        """
        said = self.said
        assert said.graph is not None
        limits = GraphLimits(tensor_bytes=rules.limits.tensor_bytes)
        return TracedNetwork(
            well_formed(said.graph.encode(), input_shape, rules.images.classes, limits),
            said.graph,
            self.constants,
            said.macs,
            said.packed,
            frozenset(said.constructed),
            said.literal_bytes,
        )

    def packed(self, most_bytes: int) -> bytes | None:
        """All tensors; None where they are not here, or take more than `most_bytes` before compression."""
        if not self.complete:
            return None
        import zstandard
        from safetensors.torch import save

        from harness.graph.reachable import raw_bytes

        where: dict[str, dict[str, int]] = {}
        numbers: dict[tuple[str, tuple[int, ...], bytes], int] = {}
        tensors: dict[str, Tensor] = {}
        size = 0
        for group in _GROUPS:
            where[group] = {}
            for name, each in getattr(self, group).items():
                content = raw_bytes(each.detach()).numpy().tobytes()
                same = (str(each.dtype), tuple(each.shape), content)
                if same not in numbers:
                    size += len(content)
                    if size > most_bytes:
                        return None
                    numbers[same] = len(numbers)
                    tensors[str(numbers[same])] = each.detach().clone().contiguous()
                where[group][name] = numbers[same]
        return zstandard.compress(save(tensors, {"where": json.dumps(where)}), _LEVEL)


def unpacked(said: str, tensors: bytes | None) -> Intake:
    """What `Intake.packed` made, with the JSON of `Intake.said`.

    Raises:
        ValueError: it is damaged.
    """
    try:
        return _unpacked(said, tensors)
    except Exception as error:
        raise ValueError(f"what was kept is damaged: {error}") from error


def _unpacked(said: str, tensors: bytes | None) -> Intake:
    if tensors is None:
        return Intake(Said.model_validate_json(said), {}, {}, {}, {}, complete=False)
    import zstandard
    from safetensors.torch import load

    data = zstandard.decompress(tensors)
    length = int.from_bytes(data[:8], "little")
    where = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["where"])
    found = load(data)
    weights, decoded, masks, constants = (
        {name: found[str(number)] for name, number in where[group].items()} for group in _GROUPS
    )
    return Intake(Said.model_validate_json(said), weights, decoded, masks, constants)
