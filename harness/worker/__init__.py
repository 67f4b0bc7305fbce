"""The processes that run student code. Everything they say is a claim; the grader judges only raw tensors.

A zygote (`harness.worker.zygote`) forks workers, which lock themselves (`locks`, `kernel`) and then answer requests, in
the order a grader sends them (`session`):

    open     find the entry point in the sources and execute what it needs
    decode   decode the weights file                          -> the tensors
    build    construct the model, look at its state
    describe torchinfo's view of it                           <- weights
    logits   forward shared images into shared space          <- weights
    kd       run the knowledge-distillation loss on probes    <- probes -> values and gradients
    probe    try what is forbidden                            -> what was possible all the same

About the model itself, in any order after `build`:

    recalibrate     BatchNorm's statistics on shared images   <- weights -> the statistics
    prune_channels  a copy with fewer channels, as a variant  <- weights -> its state
    macs            multiply-accumulates of one image
    latency         seconds of a forward pass               <- weights

A worker holds one variant beside the model: what `prune_channels`, or `build` with a name for it, made last. `logits`,
`recalibrate`, `macs` and `latency` are about it where they name it.
"""

from __future__ import annotations


def main() -> None:
    """Be a zygote; its settings are one JSON object on the command line."""
    import json
    import os
    import sys

    from harness.worker.zygote import run

    run(json.loads(sys.argv[1]))
    # Workers end with us; taking torch apart politely would only delay that.
    os._exit(0)
