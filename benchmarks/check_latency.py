"""How long a student waits for `harness check`, as ratios to `python -c "import torch"` in the same run.

    python benchmarks/check_latency.py [--rounds 3]

Medians of whole commands: of a hand-in whose files decide it, one whose weights do not fit, and one that is graded.
Processor seconds stand beside them: on a busy machine they say more.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

from processors import processor_seconds

EXAMPLES = Path(__file__).parents[1] / "submissions" / "nycu-ds2023-hw2"
CASES = {"files decide": "fail-no-weights", "weights do not fit": "fail-weights-mismatch", "graded": "seed-001"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = range(parser.parse_args().rounds)
    check = [sys.executable, "-c", "from harness.cli import main; main()", "check", "-q", "nycu-ds2023-hw2"]
    commands = {"import torch": [sys.executable, "-c", "import torch"]}
    commands |= {name: [*check, str(EXAMPLES / folder)] for name, folder in CASES.items()}
    # One after the other in every round, so that whatever else the machine does meets all of them.
    seconds = [{name: _seconds(command) for name, command in commands.items()} for _ in rounds]
    for name in commands:
        took, processor = (statistics.median(each[name][at] for each in seconds) for at in (0, 1))
        ratio = statistics.median(each[name][0] / each["import torch"][0] for each in seconds)
        print(f"{name:20} {took:6.2f} s  {ratio:5.2f} × import torch  {processor:6.2f} s of processors")


def _seconds(command: list[str]) -> tuple[float, float]:
    """By the clock, and of processors, with all processes that the command starts."""
    began, before = time.perf_counter(), processor_seconds()
    subprocess.run(command, check=False, capture_output=True)
    return time.perf_counter() - began, processor_seconds() - before


if __name__ == "__main__":
    main()
