"""The process that runs student code. Everything it says is a claim; the grader judges only raw tensors.

Requests, in the order a grader sends them (`harness.worker.session` answers):

    open     find the entry point in the sources and execute what it needs
    decode   decode the weights file                          -> the tensors
    build    construct the model, look at its state
    describe torchinfo's view of it                           <- weights
    logits   forward shared images into shared space          <- weights
    kd       run the knowledge-distillation loss on probes    <- probes -> values and gradients

About the model itself, in any order after `build`:

    recalibrate     BatchNorm's statistics on shared images   <- weights -> the statistics
    prune_channels  a copy with fewer channels, as a variant  <- weights -> its state
    macs            multiply-accumulates of one image
    latency         seconds of a forward pass               <- weights

A worker holds one variant beside the model: what `prune_channels`, or `build` with a name for it, made last. `logits`,
`recalibrate`, `macs` and `latency` are about it where they name it.
"""

from __future__ import annotations


def main(descriptor: int, memory_bytes: int) -> None:
    """Serve requests on the inherited socket until the grader hangs up."""
    import os

    from harness.worker.serve import serve

    try:
        serve(descriptor, memory_bytes)
    finally:
        # Student code may have left threads or atexit handlers behind; none of them gets a turn.
        os._exit(0)
