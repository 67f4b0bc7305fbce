"""What grading a class costs: the harness with its sandbox against the ways people do it without one.

    pip install gradescope-utils
    python benchmarks/grading_throughput.py [--submissions 8] [--rounds 3] [--sandbox bwrap]

Every contender does the same for copies of one submission: count its parameters, check its KD loss, predict the 10,000
embedded images. They take turns, so that a busy machine slows all of them; a round gives one ratio each, and their
medians are printed.

    best loop      images prepared once, channels_last, batches of 64, the allocator's settings of our workers; as many
                   processes as processors with one thread each, or one with all: the better of the two in each round
    plain loop     one process, batches of 500, torch's own number of threads
    fresh Python   benchmarks/by_hand.py once for each submission
    gradescope     benchmarks/gradescope_tests.py once for each submission
    harness        `harness.grading.grader.grade_all` in the sandbox; its zygotes, started once a run, counted apart
    integrity      the same, and the check of integrity as well

The start is from the choice of the sandbox until a worker can be forked for each processor, with the self-test
remembered. Beside the clock stand the seconds of processor time that each contender used, which a busy machine changes
less.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import by_hand
import torch
from processors import processor_seconds

HERE = Path(__file__).parent
SUBMISSION = HERE.parent / "submissions" / "nycu-ds2023-hw2" / "seed-001"
PROCESSORS = len(os.sched_getaffinity(0))
MALLOC = {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=4294967296"}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--submissions", type=int, default=8)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--sandbox", default="bwrap")
    arguments.add_argument("--only", help="run one contender in this process and print its seconds")
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folders = [Path(scratch, f"student-{number:03}") for number in range(asked.submissions)]
        for folder in folders:
            shutil.copytree(SUBMISSION, folder)
        if asked.only:
            print(*CONTENDERS[asked.only](folders, asked.sandbox))
        else:
            compare(asked.submissions, asked.rounds, asked.sandbox)


def compare(submissions: int, rounds: int, sandbox: str) -> None:
    print(
        f"{submissions} submissions, {rounds} rounds, {PROCESSORS} processors, sandbox {sandbox}; "
        "seconds each (of processor time)"
    )
    taken: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    used: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    starts: list[float] = []
    run_alone("harness", 1, sandbox)  # the self-test is remembered from now on
    for _ in range(rounds):
        for name in CONTENDERS:
            (seconds, *start), processor = run_alone(name, submissions, sandbox)
            taken[name].append(seconds / submissions)
            used[name].append(processor / submissions)
            starts += start
        each_took = (f"{name} {taken[name][-1]:.2f} ({used[name][-1]:.2f})" for name in CONTENDERS)
        print("  ".join(each_took), flush=True)
    best = [min(pair) for pair in zip(taken["best-processes"], taken["best-threads"], strict=True)]
    for name, each in {"best loop": best, **taken}.items():
        speeds = [fastest / seconds for fastest, seconds in zip(best, each, strict=True)]
        print(f"{name:15} {statistics.median(speeds):5.2f} of the best possible loop")
    against = [slow / ours for slow, ours in zip(taken["gradescope"], taken["harness"], strict=True)]
    print(f"harness: {statistics.median(against):.1f} times gradescope-utils; start {statistics.median(starts):.1f} s")
    more = [with_it / without for with_it, without in zip(taken["integrity"], taken["harness"], strict=True)]
    print(f"integrity: {statistics.median(more):.2f} times as long as without")


def run_alone(name: str, submissions: int, sandbox: str) -> tuple[list[float], float]:
    """Its figures and its processor time, imports included.

    It gets a process of its own, so that no contender inherits threads, memory or settings from another.
    """
    words = [sys.executable, __file__, "--only", name, "--submissions", str(submissions), "--sandbox", sandbox]
    environment = {**os.environ, **(MALLOC if name.startswith("best") else {})}
    before = processor_seconds()
    done = subprocess.run(words, check=True, capture_output=True, text=True, env=environment)
    return [float(each) for each in done.stdout.split()], processor_seconds() - before


def best_processes(folders: Sequence[Path], _: str) -> list[float]:
    torch.set_num_threads(1)
    started = time.perf_counter()
    images, labels = prepared()
    with multiprocessing.get_context("fork").Pool(PROCESSORS, initializer=take, initargs=(images, labels)) as pool:
        check(pool.map(grade_prepared, folders, chunksize=1))
    return [time.perf_counter() - started]


def best_threads(folders: Sequence[Path], _: str) -> list[float]:
    torch.set_num_threads(PROCESSORS)
    started = time.perf_counter()
    take(*prepared())
    check([grade_prepared(folder) for folder in folders])
    return [time.perf_counter() - started]


def prepared() -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = by_hand.test_set()
    return images.contiguous(memory_format=torch.channels_last), labels


def take(images: torch.Tensor, labels: torch.Tensor) -> None:
    globals()["shared"] = images, labels


def grade_prepared(folder: Path) -> float:
    return by_hand.grade(folder, *globals()["shared"], batch_size=64)[2]


def plain(folders: Sequence[Path], _: str) -> list[float]:
    started = time.perf_counter()
    images, labels = by_hand.test_set()
    check([by_hand.grade(folder, images, labels, batch_size=500)[2] for folder in folders])
    return [time.perf_counter() - started]


def script(name: str) -> Callable[[Sequence[Path], str], list[float]]:
    def run(folders: Sequence[Path], _: str) -> list[float]:
        started = time.perf_counter()
        for folder in folders:
            subprocess.run([sys.executable, str(HERE / name), str(folder)], check=True, capture_output=True)
        return [time.perf_counter() - started]

    return run


def harness(folders: Sequence[Path], sandbox_name: str, more: Collection[str] = ()) -> list[float]:
    torch.set_num_threads(1)
    from class_size import counted

    from harness.grading.grader import grade_all
    from harness.plugins import Plugins
    from harness.sandbox import choose
    from harness.submission.discovery import discover

    plugins = Plugins.installed()
    assignment = counted(plugins, more=more)
    started = time.perf_counter()
    sandbox = choose(sandbox_name)
    boxes = [sandbox.box() for _ in range(PROCESSORS)]
    for box in [each.__enter__() for each in boxes]:
        box.start()
    for each in boxes:
        each.__exit__(None, None, None)
    ready = time.perf_counter()
    hand_ins = discover(folders, mode="single")
    results = list(grade_all(assignment, hand_ins, plugins=plugins, sandbox=sandbox, jobs=PROCESSORS))
    check([result.metrics["accuracy"].value for result in results])
    assert all(result.network is not None and result.network.verified for result in results), results[0].network
    taken = time.perf_counter() - ready
    sandbox.close()  # what the zygotes used counts when they have ended
    return [taken, ready - started]


def integrity(folders: Sequence[Path], sandbox_name: str) -> list[float]:
    return harness(folders, sandbox_name, ("integrity",))


def check(accuracies: Sequence[float]) -> None:
    assert all(abs(each - accuracies[0]) < 5e-4 for each in accuracies), accuracies


CONTENDERS = {
    "best-processes": best_processes,
    "best-threads": best_threads,
    "plain": plain,
    "fresh": script("by_hand.py"),
    "gradescope": script("gradescope_tests.py"),
    "harness": harness,
    "integrity": integrity,
}

if __name__ == "__main__":
    main()
