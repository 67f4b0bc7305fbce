"""Run student code. Everything these processes say is a claim; the grader judges only raw tensors.

A mother (`harness.worker.mother`) imports torch and forks zygotes (`zygote`), which fork workers. Those lock themselves
(`confinement`, `kernel`) and then answer requests. `harness.worker.messages` has them all, `replies` their answers. In
the order a grader sends them:

    Decode        a weights file, in a worker of its own        -> the tensors
    Open          the sources: find and execute the entry point
    Build         construct the model, look at its state
    Adopt         have the model load a file by its own rules   <- the file's tensors -> its state
    Describe      torchinfo's view of it                        <- weights

About the model itself, in any order:

    Logits, Recalibrate, CountMacs, MeasureLatency              <- weights, shared images
    PruneChannels a copy with fewer channels, as a variant      <- weights -> its state

A worker holds one variant beside the model: what `PruneChannels`, or `Build` with a name for it, made last. Three
requests go to workers of their own: `Survey` (what else the sources can build), `AskPlugin` (a plugin's half beside
student code, such as the KD loss) and `TryForbidden`.
"""

from __future__ import annotations


def main() -> None:
    """Be a mother; the descriptor of her socket is on the command line."""
    import os
    import sys

    from harness.worker.mother import run

    run(int(sys.argv[1]))
    # Workers end with their zygote; taking torch apart politely would only delay that.
    os._exit(0)
