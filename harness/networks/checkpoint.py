"""Further networks handed in beside the one that is graded: checkpoints of curves, other methods, a teacher."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.networks.key_matching import match_keys
from harness.networks.remote import Owner, Variant, Weights
from harness.networks.session import SMALL_REPLY_BYTES, nonsense_refused
from harness.networks.weights import for_model, renamed
from harness.values.networks import Checkpoint, ModelFacts

if TYPE_CHECKING:
    from torch import Tensor


from harness.networks.weights import refuse_non_finite


class CheckpointNetwork(Variant):
    """`harness.api.HandedInNetwork` in the student's worker.

    Raises:
        SubmissionError: the file cannot be decoded, or does not fit the network that its entry says to build.
    """

    def __init__(self, student: Owner, checkpoint: Checkpoint) -> None:
        self.decoded: Mapping[str, Tensor] = {}
        self._checkpoint, self._owner = checkpoint, student
        self._facts: ModelFacts | None = None
        self.file_bytes = (student.submission.folder / checkpoint.file).stat().st_size
        super().__init__(student, self._made)

    @property
    def facts(self) -> ModelFacts:
        """What the worker says of it."""
        assert self._facts is not None
        return self._facts

    def _made(self, name: str) -> Weights:
        limits = self.assignment.rules.limits
        read = self._owner.request(
            "decode",
            {"weights": self._checkpoint.file, "max_bytes": limits.tensor_bytes},
            {},
            doing=f"decoding {self._checkpoint.file}",
            seconds=limits.import_seconds,
            max_reply_bytes=limits.tensor_bytes + SMALL_REPLY_BYTES,
        )
        built = self._owner.request(
            "build",
            {"variant": name, **self._construction()},
            {},
            doing=f"building the network of {self._checkpoint.file}",
            seconds=limits.build_seconds,
        )
        with nonsense_refused():
            state = {str(name): tuple(map(int, shape)) for name, shape in built.facts["state"].items()}
            self.decoded, _ = match_keys(read.tensors, state)
            refuse_non_finite(self.decoded)
            said = {
                **built.facts,
                "source": self._checkpoint.file,
                "weights_format": read.facts["format"],
                "stored_bits": read.facts["bits"],
                "aliases": renamed(read.facts["aliases"], read.tensors, self.decoded),
                "storage_elements": read.facts["storage_elements"],
                "torchinfo": None,
            }
            self._facts = ModelFacts.model_validate(said)
            return for_model(self.decoded, state)

    def _construction(self) -> dict[str, Any]:
        facts = self._owner.construction
        if self._checkpoint.model_arguments:
            facts |= {"model_arguments": self._checkpoint.model_arguments}
        return facts | {"entry_points": [self._checkpoint.entry_point] if self._checkpoint.entry_point else []}
