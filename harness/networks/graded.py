"""Give evaluators one handle of a network, whatever measures it: its graph where that is verified, else its module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.networks.remote import RemoteNetwork
from harness.networks.replayed import Measuring, Unverified
from harness.networks.session import Weights
from harness.values.images import Images
from harness.values.networks import Latency, TracedNetwork, Verification

if TYPE_CHECKING:
    from torch import Tensor


class GradedNetwork:
    """See `harness.api.Network` for the contracts.

    Attributes:
        module: the network beside student code.
        traced: its graph, where it is verified.
        verification: whether it is, and why not.
    """

    def __init__(self, module: RemoteNetwork) -> None:
        self.module = module
        self.traced: TracedNetwork | None = None
        self.verification = Verification(verified=False, reason="it was not traced")
        self._measured = module

    def verify(self, measuring: Measuring) -> None:
        """From now on measure the graph, if there is one that answers like the module."""
        try:
            network = measuring.verified(self.module)
        except Unverified as found:
            self.verification = Verification(verified=False, reason=found.reason, operator=found.operator)
        else:
            self.verification, self.traced, self._measured = network.verification(), network.traced, network
        # A graph needs it no more; and what a network keeps from one pass to the next, it has now of being traced.
        self.module.session.close()

    @property
    def weights(self) -> Weights:
        return self.module.weights

    def logits(self, images: Images, weights: Weights | None = None, *, batch_size: int = 64) -> Tensor:
        return self._measured.logits(images, weights, batch_size=batch_size)

    def recalibrated(self, images: Images, weights: Weights | None = None) -> Weights:
        return self._measured.recalibrated(images, weights)

    def macs(self) -> int:
        return self._measured.macs()

    def latency(self, weights: Weights | None = None, *, batch_size: int, seconds: float = 0.2) -> Latency:
        return self._measured.latency(weights, batch_size=batch_size, seconds=seconds)
