"""What it costs to measure a class by Dask on this machine, against the grader itself.

    pip install 'compress-harness[dask]'
    python benchmarks/executors.py [--submissions 40] [--rounds 2]

The class is one submission with other weights each time, so that nothing is known of any. Both take turns, as whole
commands that begin with the same empty store, whose secret decides on which images networks are probed. Printed are
their seconds and the ratio of each round. Both must write the same JSON, but for times.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from processors import processor_seconds

from harness.store.store import Store

SUBMISSION = Path(__file__).parents[1] / "submissions" / "nycu-ds2023-hw2" / "seed-001"
PROCESSORS = len(os.sched_getaffinity(0))
TIMES = ("seconds", "measured_at", "submitted_at")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--submissions", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = Store.open(f"sqlite:///{folder / 'empty.db'}")
        store.secret("image order")
        store.close()
        for number in range(asked.submissions):
            varied(folder / "class" / f"student-{number:03}", number)
        for _ in range(asked.rounds):
            local, found, used = graded(folder, "local")
            dask, also_found, also_used = graded(folder, "dask")
            assert found == also_found, "the results differ"
            ratios.append(dask / local)
            print(
                f"{asked.submissions} submissions, {PROCESSORS} processors: local {local:.1f} s ({used:.0f} s of "
                f"processor time), dask {dask:.1f} s ({also_used:.0f}), ratio {ratios[-1]:.2f}; same results",
                flush=True,
            )
    print(f"median ratio {statistics.median(ratios):.2f}")


def varied(folder: Path, number: int) -> None:
    """A copy with other weights."""
    shutil.copytree(SUBMISSION, folder)
    (weights,) = folder.glob("*.pt")
    state = torch.load(weights, weights_only=True)
    generator = torch.Generator().manual_seed(number)
    for each in (tensor for tensor in state.values() if tensor.is_floating_point()):
        each.add_(1e-3 * each.std(unbiased=False) * torch.randn(each.shape, generator=generator))
    torch.save(state, weights)


def graded(folder: Path, executor: str) -> tuple[float, list[Any], float]:
    """Seconds, results without times, and seconds of processor time of those who have ended."""
    for each in folder.glob("harness.db*"):
        each.unlink()
    shutil.copyfile(folder / "empty.db", folder / "harness.db")
    before, started = processor_seconds(), time.perf_counter()
    command = [shutil.which("harness") or "harness", "grade", "nycu-ds2023-hw2", "class", "--executor", executor]
    subprocess.run([*command, "--json", "out.json"], cwd=folder, check=True, capture_output=True)
    seconds, used = time.perf_counter() - started, processor_seconds() - before
    results = json.loads((folder / "out.json").read_text(encoding="utf-8"))["results"]
    found = [{name: each for name, each in result.items() if name not in TIMES} for result in results]
    return seconds, sorted(found, key=lambda each: each["submission"]), used


if __name__ == "__main__":
    main()
