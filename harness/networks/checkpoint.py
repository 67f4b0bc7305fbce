"""Load further networks that were handed in beside the one that is graded: curves' checkpoints, methods, a teacher."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import SubmissionError
from harness.networks.fitting import Fitted, fitted
from harness.networks.graded import GradedNetwork
from harness.networks.remote import RemoteNetwork, Variant
from harness.networks.session import SMALL_REPLY_BYTES, Answer, Weights
from harness.networks.weights import for_model
from harness.values.networks import Checkpoint, ModelFacts
from harness.worker.messages import Adopt, Build, Decode
from harness.worker.replies import Adopted, Built, Decoded

if TYPE_CHECKING:
    from torch import Tensor


class CheckpointNetwork(GradedNetwork):
    """`harness.api.HandedInNetwork`, decoded and built in the student's worker.

    Args:
        module: the network that is graded.
        usual: how that one is built.
        folder: of the submission.

    Raises:
        SubmissionError: the file cannot be decoded, or does not fit the network that its entry says to build.
    """

    def __init__(self, module: RemoteNetwork, checkpoint: Checkpoint, usual: Build, folder: Path) -> None:
        self.decoded: Mapping[str, Tensor] = {}
        self.file_bytes = (folder / checkpoint.file).stat().st_size
        self._checkpoint, self._usual = checkpoint, usual
        self._session, self._limits = module.session, module.rules.limits
        self._facts: ModelFacts | None = None
        super().__init__(Variant(module, self._load))

    @property
    def facts(self) -> ModelFacts:
        """What the worker says of it."""
        assert self._facts is not None
        return self._facts

    def _load(self, variant: str) -> Weights:
        session, limits = self._session, self._limits
        read = session.ask(
            Decode(weights=self._checkpoint.file, max_bytes=limits.tensor_bytes),
            doing=f"decoding {self._checkpoint.file}",
            seconds=limits.import_seconds,
            max_reply_bytes=limits.tensor_bytes + SMALL_REPLY_BYTES,
        )
        request = self._construction(variant)
        try:
            built, found = self._built(request, read)
        except SubmissionError as error:
            pickled = request.model_copy(update={"pickled_in": self._checkpoint.file})
            try:
                built, found = self._built(pickled, read)
            except SubmissionError:
                raise error from None
        self.decoded = found.tensors
        self._facts = facts_of(self._checkpoint.file, read.said, built, found)
        return for_model(self.decoded, built.state)

    def _built(self, request: Build, read: Answer[Decoded]) -> tuple[Built, Fitted]:
        limits, file = self._limits, self._checkpoint.file
        built = self._session.ask(request, doing=f"building the network of {file}", seconds=limits.build_seconds).said

        def adopt(versions: Mapping[str, int], tensors: Weights) -> Answer[Adopted]:
            return self._session.ask(
                Adopt(versions=dict(versions), variant=request.variant),
                tensors,
                doing=f"loading {file}",
                seconds=limits.build_seconds,
                max_reply_bytes=limits.tensor_bytes + SMALL_REPLY_BYTES,
            )

        return built, fitted(read, built, adopt)

    def _construction(self, variant: str) -> Build:
        own, usual = self._checkpoint, self._usual
        return usual.model_copy(
            update={
                "variant": variant,
                "model_arguments": own.model_arguments or usual.model_arguments,
                "entry_points": (own.entry_point,) if own.entry_point else (),
                "pickled_in": own.file if usual.pickled_in and not own.entry_point else "",
            }
        )


def facts_of(source: str, decoded: Decoded, built: Built, found: Fitted) -> ModelFacts:
    """What the worker said of a network and its file, put together; torchinfo's figures are added where they are known.

    Args:
        found: the file, under the model's names.
    """
    return ModelFacts(
        source=source,
        weights_format=decoded.format,
        stored_bits=found.bits,
        state=built.state,
        parameters=built.parameters,
        aliases=tuple(found.aliases),
        storage_elements=found.storage_elements,
        torchinfo=None,
        lazy=built.lazy,
        scripted_or_quantised=built.scripted_or_quantised,
        notes=built.notes,
    )
