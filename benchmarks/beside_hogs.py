"""How much a submission that takes all it can get slows the honest ones that are graded beside it.

    python benchmarks/beside_hogs.py [--submissions 6] [--images 2000] [--sandbox bwrap]

The same honest class, one submission at a time, is graded alone and beside another run of one submission at a time that
never stops computing: on one thread, and on as many threads as it may have. Printed: seconds for each honest
submission, and their ratio to the run alone. With two processors or more, one busy thread should cost next to nothing.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import threading
from contextlib import closing
from pathlib import Path

import torch
from class_size import SUBMISSION, counted, first_images

from harness.assignment.loading import Assignment
from harness.grading.grader import grade_all
from harness.plugins import Plugins
from harness.sandbox import Sandbox, choose
from harness.submission.discovery import discover

HOG = """
import threading
import torch

class StudentNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        for _ in range({threads} - 1):
            threading.Thread(target=self.compute, daemon=True).start()
        self.compute()

    def compute(self):
        while True:
            torch.mm(torch.ones(200, 200), torch.ones(200, 200))
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--submissions", type=int, default=6)
    arguments.add_argument("--images", type=int, default=2000)
    arguments.add_argument("--sandbox", default="bwrap")
    asked = arguments.parse_args()
    torch.set_num_threads(1)
    plugins, sandbox = Plugins.installed(), choose(asked.sandbox)
    with tempfile.TemporaryDirectory() as scratch:
        assignment = counted(plugins, {"test": first_images(Path(scratch, "data"), asked.images)})
        for number in range(asked.submissions):
            shutil.copytree(SUBMISSION, Path(scratch, "class", f"student-{number}"))
        seconds(Path(scratch, "class"), assignment, plugins, sandbox)
        alone = seconds(Path(scratch, "class"), assignment, plugins, sandbox)
        print(f"alone: {alone:.2f} s each")
        for threads in (1, assignment.rules.limits.threads - 4):
            hog = Path(scratch, f"hog-{threads}")
            shutil.copytree(SUBMISSION, hog)
            (hog / "model.py").write_text(HOG.format(threads=threads))
            beside = beside_hog(hog, Path(scratch, "class"), assignment, plugins, sandbox)
            print(f"beside {threads} busy threads: {beside:.2f} s each, {beside / alone:.2f} of alone", flush=True)


def seconds(folder: Path, assignment: Assignment, plugins: Plugins, sandbox: Sandbox) -> float:
    results = list(grade_all(assignment, discover([folder]), plugins=plugins, sandbox=sandbox, jobs=1))
    assert all(each.status == "graded" for each in results), [each.reason for each in results]
    return statistics.median(each.seconds for each in results)


def beside_hog(hog: Path, folder: Path, assignment: Assignment, plugins: Plugins, sandbox: Sandbox) -> float:
    """The honest class while a hog is graded again and again."""
    stop = threading.Event()

    def keep_busy() -> None:
        while not stop.is_set():
            hand_ins = discover([hog], mode="single")
            with closing(grade_all(assignment, hand_ins, plugins=plugins, sandbox=sandbox, jobs=1)) as results:
                assert all(each.status == "timed_out" for each in results)

    other = threading.Thread(target=keep_busy)
    other.start()
    try:
        return seconds(folder, assignment, plugins, sandbox)
    finally:
        stop.set()
        other.join()


if __name__ == "__main__":
    main()
