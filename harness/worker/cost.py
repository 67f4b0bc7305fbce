"""Measure what one forward pass costs: multiply-accumulates, and seconds on this machine. Both are claims."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from harness.errors import SubmissionError
from harness.values.networks import Latency
from harness.worker.copies import copied
from harness.worker.failures import describe, is_out_of_memory
from harness.worker.model import Model, evaluating


def macs(model: Model) -> int:
    """Multiply-accumulates of one image: half of what torch's FlopCounterMode counts.

    On meta tensors, where attention and LSTM are counted too. A network that cannot run on those is counted on real
    zeros with torch's fused kernels off.

    Raises:
        SubmissionError: it runs on neither.
    """
    try:
        return _counted(_on_meta(model), torch.zeros(1, *model.input_shape, device="meta"))
    except Exception as error:
        if is_out_of_memory(error):
            raise
    try:
        evaluating(model.module)
        return _counted(model.module, torch.zeros(1, *model.input_shape))
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise SubmissionError("rejected", f"its operations cannot be counted: {describe(error)}") from error


def latency(run: Callable[[Tensor], object], batch: Tensor, seconds: float) -> Latency:
    """Seconds of one forward pass by torch.utils.benchmark: the median, and the distance of its quartiles.

    Args:
        batch: what is forwarded.
        seconds: to spend at least.
    """
    from torch.utils.benchmark import Timer  # a quarter of a second, and most workers never time anything

    timer = Timer("run(batch)", globals={"run": run, "batch": batch}, num_threads=1)
    measured = timer.blocked_autorange(min_run_time=seconds)
    return Latency(median=float(measured.median), iqr=float(measured.iqr))


def _on_meta(model: Model) -> nn.Module:
    # Copied onto meta at once: weights need not be there twice.
    memo: dict[int, Any] = {}
    for each in (*nn.Module.parameters(model.module), *nn.Module.buffers(model.module)):
        empty: Tensor = torch.empty_like(each, device="meta")
        memo[id(each)] = nn.Parameter(empty, each.requires_grad) if isinstance(each, nn.Parameter) else empty
    module = copied(model.module, memo)
    evaluating(module)
    return module


def _counted(module: nn.Module, image: Tensor) -> int:
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(_plain_kernels())
        stack.enter_context(torch.no_grad())
        stack.enter_context(image.device)  # tensors that forward makes go where the image is
        counter = stack.enter_context(FlopCounterMode(display=False))
        module(image)
        return int(counter.get_total_flops()) // 2


@contextmanager
def _plain_kernels() -> Iterator[None]:
    """Attention and recurrent layers in steps that are counted."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    warnings.simplefilter("ignore")  # switching oneDNN off warns of Intel's GPUs; put back with the rest
    try:
        with sdpa_kernel(SDPBackend.MATH), torch.backends.mkldnn.flags(False):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
