"""Define the handles through which evaluators ask a network: for logits, costs, variants."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor

from harness.contracts.sources import WorkerHalf
from harness.values.images import Images
from harness.values.networks import ChannelOrder, Checkpoint, Latency, ModelFacts, Reply, TracedNetwork, Verification


class Network(Protocol):
    """A function from (weights, images) to logits; its code runs only in the sandbox.

    Every method raises SubmissionError when the network fails at what it is asked for.
    """

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """What is sent in with every evaluation: the model's own state names, pruning masks multiplied in."""

    def logits(self, images: Images, weights: Mapping[str, Tensor] | None = None, *, batch_size: int = 64) -> Tensor:
        """Forward all images in eval mode.

        Args:
            weights: tensors to use instead of `self.weights`; same names and shapes.

        Returns:
            float32 [N, classes]; row i belongs to image i. Some may be infinite or NaN:
            `harness.api.logits.predicted_classes` tells the class of each image, if it has one, and one has.

        >>> network.logits(images).shape
        torch.Size([2, 10])
        >>> zeros = {name: 0 * tensor for name, tensor in network.weights.items()}
        >>> network.logits(images, zeros).any()
        tensor(False)
        """

    def recalibrated(self, images: Images, weights: Mapping[str, Tensor] | None = None) -> Mapping[str, Tensor]:
        """The weights with BatchNorm statistics gathered anew on `images`; equal but for those statistics."""

    def macs(self) -> int:
        """Multiply-accumulates of one image, counted beside student code: a claim."""

    def latency(self, weights: Mapping[str, Tensor] | None = None, *, batch_size: int, seconds: float = 0.2) -> Latency:
        """Time of a forward pass of `batch_size` empty images, measured for at least so many seconds."""


class HandedInNetwork(Network, Protocol):
    """A network with a weights file of its own."""

    @property
    def decoded(self) -> Mapping[str, Tensor]:
        """The tensors of the file as handed in, under the model's names."""

    @property
    def facts(self) -> ModelFacts:
        """What the worker says of it; without torchinfo's figures."""

    @property
    def file_bytes(self) -> int:
        """Size of the file."""


class Student(Network, Protocol):
    """A submission's own network, and what was handed in with it."""

    @property
    def decoded(self) -> Mapping[str, Tensor]:
        """The tensors of the weights file as handed in: its names (less a common prefix), shapes and dtypes."""

    @property
    def masks(self) -> Mapping[str, Tensor]:
        """Live pruning masks by the name of the parameter they belong to."""

    @property
    def facts(self) -> ModelFacts:
        """What the worker says of the model: advisory."""

    @property
    def weights_bytes(self) -> int:
        """Size of the weights file as handed in."""

    @property
    def claims(self) -> Mapping[str, float]:
        """What the student says of the model in `submission.toml`."""

    @property
    def claimed_curves(self) -> Mapping[str, tuple[tuple[float, float], ...]]:
        """Points (x, y) of curves that the student's report shows, by the curve's name."""

    def without_channels(
        self, order: ChannelOrder, keep: float, weights: Mapping[str, Tensor] | None = None
    ) -> Network:
        """A copy that keeps int(keep · C) of every C channels, at least one; the classifier keeps its outputs.

        The worker removes them; that its tensors hold nothing but values that were sent is checked.

        Raises:
            SubmissionError: the network cannot be traced, or does not run with fewer channels.
        """

    @property
    def checkpoints(self) -> Mapping[str, tuple[Checkpoint, ...]]:
        """Further weights for measured curves: series label -> files, as submission.toml lists them."""

    @property
    def methods(self) -> Mapping[str, Checkpoint]:
        """Networks to compare, by what they are called."""

    @property
    def teacher(self) -> Checkpoint | None:
        """The large network, if it was handed in."""

    def load(self, checkpoint: Checkpoint) -> HandedInNetwork:
        """Decode, build and match one of these.

        Raises:
            SubmissionError: it cannot be used; the others still can.
        """

    @property
    def verification(self) -> Verification:
        """Whether it is measured as a graph, in which no student code runs, and why not."""

    @property
    def traced(self) -> TracedNetwork | None:
        """That graph, where there is one; `harness.api.graphs` counts what it holds."""

    def again(self) -> AbstractContextManager[Student]:
        """The same network in a process of its own that has seen nothing yet; leaving the context ends it.

        Two processes that are given the same weights and images must give the same logits: nothing that one of them
        remembers is known to the other. In a notebook, where there is only one process, it is a copy of the module.

        Raises:
            SubmissionError: on its first use, like any other request.
        """

    def ask(
        self,
        half: WorkerHalf,
        facts: Mapping[str, Any],
        tensors: Mapping[str, Tensor],
        *,
        doing: str,
        limit_seconds: float,
    ) -> Reply:
        """Run a plugin's own function beside the student's code, in a fresh worker that nothing else uses.

        Args:
            half: defined by that name in a module of an installed plugin, for the worker imports it.
            facts: what JSON can hold.
            doing: what the student's code does meanwhile, for messages: "running the KD loss".

        Raises:
            SubmissionError: the student's code failed or overran `limit_seconds`.
            PluginError: the worker could not import `half`.
        """
