"""How long `harness similarity` takes for a class, and what keeping the weights costs.

    python benchmarks/similarity_class.py [--submissions 300]

Everyone uses the same architecture, so that every pair is compared. The weights are random numbers; trained networks
that are independent stop resembling each other at their first layer just as these do. One in thirty is a slightly
changed copy of the one before. Times are of one thread, from reading the store to the finished list; on a busy
machine the time of the CPU says more.
"""

from __future__ import annotations

import argparse
import os
import resource
import runpy
import sys
import tempfile
import time
from pathlib import Path

import torch

from harness.assignment.loading import load
from harness.grading.class_evaluation import compare
from harness.grading.environment import environment
from harness.plugins import Plugins
from harness.store.store import Store
from harness.store.weights import file_digest, packed
from harness.values.results import Result

SUBMISSIONS = Path(__file__).parents[1] / "submissions"
MODELS = {
    "seed-001, 95,386 parameters": SUBMISSIONS / "nycu-ds2023-hw2" / "seed-001",
    "seed-002, 85,956 parameters": SUBMISSIONS / "nycu-ds2023-hw2" / "seed-002",
    "seed-000, 277,963 parameters, depthwise": SUBMISSIONS / "ntu-ml2020-hw7" / "seed-000",
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--submissions", type=int, default=300)
    asked = arguments.parse_args()
    if os.environ.get("OMP_NUM_THREADS") != "1":  # read by the linear algebra libraries when a process starts
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **one})
    torch.set_num_threads(1)
    for name, folder in MODELS.items():
        module = runpy.run_path(str(next(folder.glob("*.py"))))["StudentNet"]()
        measure(name, module, asked.submissions)


def measure(name: str, module: torch.nn.Module, count: int) -> None:
    plugins = Plugins.installed()
    assignment = load("nycu-ds2023-hw2", plugins, needs_data=False)
    with tempfile.TemporaryDirectory() as scratch:
        url, file = f"sqlite:///{scratch}/harness.db", Path(scratch) / "weights.pt"
        store = Store.open(url)
        packing = adding = 0.0
        for number in range(count):
            torch.manual_seed(number - 1 if number % 30 == 29 else number)
            state = {key: drawn(each, number) for key, each in module.state_dict().items()}
            file.write_bytes(str(number).encode())
            started = time.perf_counter()
            data = packed(state, file_digest(file))
            packing += time.perf_counter() - started
            result = Result(
                submission=f"student-{number:03}", status="graded", reason=None, digest=f"sha256:{number}", score=0,
                max_score=0, predictions=tuple(torch.randint(0, 10, (10_000,)).tolist()), seconds=0,
            )  # fmt: skip
            started = time.perf_counter()
            store.add(assignment.info, environment("none"), result, data)
            adding += time.perf_counter() - started
        started, computed = time.perf_counter(), time.process_time()
        attempts, weights = store.latest(assignment.id, depth="everything"), store.weights(assignment.id)
        read = time.perf_counter() - started
        report = compare(assignment, plugins, attempts, weights)
        whole, computed = time.perf_counter() - started, time.process_time() - computed
    found, peak = len(report.comparisons["similarity"].findings), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pairs = count * (count - 1) // 2
    print(f"{name}: {count} submissions, {pairs:,} pairs, {found} listed")
    print(f"  {whole:.1f} s, of CPU {computed:.1f} s (reading {read:.1f} s); peak {peak / 1e6:.2f} GB")
    kept = f"kept {len(data or b'') / 1000:.0f} kB each"
    print(f"  {kept}, packing {1000 * packing / count:.1f} ms, storing {1000 * adding / count:.1f} ms")


def drawn(tensor: torch.Tensor, number: int) -> torch.Tensor:
    """New numbers like those of a layer; equal seeds give equal layers up to a thousandth."""
    if not tensor.is_floating_point() or tensor.dim() < 2:
        return tensor + (0.01 * torch.rand(tensor.shape) if tensor.is_floating_point() else 0)
    other = torch.Generator().manual_seed(number)
    return torch.randn(tensor.shape) * tensor.std() * (1 + 1e-3 * torch.randn(tensor.shape, generator=other))


if __name__ == "__main__":
    main()
