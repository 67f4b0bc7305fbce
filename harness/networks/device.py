"""Measure accepted graphs on a GPU, in this process: they hold no code, only operators of a list.

The numbers shall be those of the CPU as far as they can be: no TF32, no sums in half precision, deterministic kernels,
and none chosen by trying which is fastest. What no kernel of the device can do is measured on the CPU as ever.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from harness.errors import SubmissionError, UsageError
from harness.graph.cost import batch_size as fitting
from harness.graph.recalibration import recalibrated
from harness.graph.replay import Replay
from harness.graph.tensors import bound
from harness.networks.logits import refuse_undefined
from harness.networks.remote import CALIBRATION_BATCH, batches_of
from harness.values.images import Images
from harness.values.networks import Latency, TracedNetwork
from harness.values.rules import AssignmentFile
from harness.worker.cost import latency
from harness.worker.model import normalised

if TYPE_CHECKING:
    from torch import Tensor

    Weights = Mapping[str, Tensor]

_MOST_IMAGES = 512
_SHARE_FOR_RESULTS = 0.25
"""Of what is free; weights, images and what kernels borrow take the rest."""
_LAYOUT = torch.channels_last


class Device:
    """Where one network at a time is measured. Safe to use from several threads.

    Args:
        name: as torch calls it: `cuda`, `cuda:1`; `cpu` for tests.

    Raises:
        UsageError: torch finds no such device.
    """

    def __init__(self, name: str) -> None:
        self.torch = torch.device(name)
        if self.torch.type == "cuda":
            # Read by cuBLAS when it starts; without it deterministic kernels are refused.
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            if not torch.cuda.is_available():
                raise UsageError(
                    f"--device {name}: torch {torch.__version__} finds no GPU here; is it a version with CUDA, "
                    "and does 'nvidia-smi' list the card?"
                )
        self._lock = threading.RLock()

    def network(self, traced: TracedNetwork, weights: Weights, rules: AssignmentFile) -> DeviceNetwork:
        """The network, seen to run there.

        Raises:
            CannotRun: an operator has no kernel for this device, or none that repeats its results.
        """
        made = DeviceNetwork(self, traced, weights, rules)
        try:
            made.run(torch.zeros(2, *traced.graph.input.shape), weights)
        except torch.OutOfMemoryError:
            pass  # told when all images are run
        except (RuntimeError, NotImplementedError) as error:
            raise CannotRun(str(error).partition("\n")[0]) from error
        return made

    def free_bytes(self) -> int:
        """Memory for results; any number will do for the CPU."""
        if self.torch.type != "cuda":
            return 2**30
        # What torch keeps of the networks before is free, too: their number shall not decide about batches.
        kept = torch.cuda.memory_reserved(self.torch) - torch.cuda.memory_allocated(self.torch)
        return torch.cuda.mem_get_info(self.torch)[0] + kept

    @contextmanager
    def exact(self) -> Iterator[None]:
        """One network at a time, with kernels whose results repeat and are rounded as on the CPU."""
        matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
        wanted: list[tuple[Any, str, Any]] = [
            (matmul, "allow_tf32", False),
            (matmul, "allow_fp16_reduced_precision_reduction", False),
            (matmul, "allow_bf16_reduced_precision_reduction", False),
            (cudnn, "allow_tf32", False),
            (cudnn, "benchmark", False),
            (cudnn, "deterministic", True),
        ]
        with self._lock:
            before = [(where, name, getattr(where, name)) for where, name, _ in wanted]
            deterministic = torch.are_deterministic_algorithms_enabled()
            try:
                for where, name, value in wanted:
                    setattr(where, name, value)
                torch.use_deterministic_algorithms(True)
                with torch.inference_mode():
                    yield
            finally:
                torch.use_deterministic_algorithms(deterministic)
                for where, name, value in before:
                    setattr(where, name, value)


class CannotRun(Exception):
    """A device lacks what a network needs; the text says what."""


class DeviceNetwork:
    """A graph on a device; see `harness.api.Network` for the contracts.

    Args:
        weights: by the module's own state names.
    """

    def __init__(self, device: Device, traced: TracedNetwork, weights: Weights, rules: AssignmentFile) -> None:
        self.weights = weights
        self._device, self._traced, self._rules = device, traced, rules
        self._replay = Replay(traced.graph, device.torch)

    def logits(self, images: Images, weights: Weights | None = None, *, batch_size: int = 64) -> Tensor:
        """See `harness.api.Network.logits`; batches are as large as fits, and never smaller than is asked for."""
        tensors, end = self._there(weights), self._end("running forward")
        with self._device.exact():
            size = max(batch_size, self._fitting())
            logits = None
            while logits is None:
                try:
                    batches = self._there_too(torch.split(images.pixels, size), images, end)
                    logits = torch.cat([self._replay(tensors, each).float().cpu() for each in batches])
                except torch.OutOfMemoryError:
                    if size == 1:
                        raise SubmissionError("out_of_memory", "one image needs more memory than the GPU has") from None
                    size //= 2
        logits = logits.clone()  # out here, where it may be changed
        refuse_undefined(logits)
        return logits

    def recalibrated(self, images: Images, weights: Weights | None = None) -> Weights:
        """See `harness.api.Network.recalibrated`; in the same batches as on the CPU, which decide the statistics."""
        sent, end = self.weights if weights is None else weights, self._end("gathering BatchNorm statistics")
        parts = torch.tensor_split(images.pixels, max(1, -(-len(images.pixels) // CALIBRATION_BATCH)))
        with self._device.exact():
            batches = self._there_too(parts, images, end)
            found = recalibrated(self._traced.graph, self._there(sent), batches, self._device.torch)
        return {**sent, **{name: each.cpu().clone() for name, each in found.items()}}

    def macs(self) -> int:
        """Multiply-accumulates of one image, from the operators' formulas."""
        return self._traced.macs

    def latency(self, weights: Weights | None = None, *, batch_size: int, seconds: float = 0.2) -> Latency:
        """See `harness.api.Network.latency`; the device is waited for."""
        tensors = self._there(weights)
        batch = torch.zeros(batch_size, *self._traced.graph.input.shape, device=self._device.torch)
        with self._device.exact():
            return latency(lambda each: self._replay(tensors, each), batch.contiguous(memory_format=_LAYOUT), seconds)

    def run(self, batch: Tensor, weights: Weights) -> Tensor:
        """The logits of one batch."""
        with self._device.exact():
            there = batch.to(self._device.torch).contiguous(memory_format=_LAYOUT)
            return self._replay(self._there(weights), there).float().cpu()

    def _there(self, weights: Weights | None) -> dict[str, Tensor]:
        """All tensors of the graph, on the device."""
        sent = bound(self._traced.graph, self.weights if weights is None else weights)
        return {name: each.to(self._device.torch) for name, each in {**self._traced.constants, **sent}.items()}

    def _fitting(self) -> int:
        """Images at a time: a power of two, so that a little less free memory does not change any result."""
        most = fitting(self._traced.graph, int(self._device.free_bytes() * _SHARE_FOR_RESULTS), _MOST_IMAGES)
        return int(1 << (most.bit_length() - 1))

    def _there_too(self, parts: Iterable[Tensor], images: Images, end: Callable[[], None]) -> Iterator[Tensor]:
        """Parts of images, normalised here: CUDA divides by multiplying, which rounds otherwise."""
        for batch in normalised(parts, batches_of(images, _MOST_IMAGES), _LAYOUT):
            end()
            yield batch.to(self._device.torch)

    def _end(self, doing: str) -> Callable[[], None]:
        """Raises SubmissionError when it is called after the assignment's limit."""
        limit = self._rules.limits.forward_seconds
        last = time.monotonic() + limit

        def check() -> None:
            if time.monotonic() > last:
                raise SubmissionError("timed_out", f"stopped after {limit:g} s while {doing}")

        return check
