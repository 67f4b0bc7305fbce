"""How long a student waits for `harness check`, as ratios to `python -c "import torch"` in the same run.

    python benchmarks/check_latency.py [--rounds 3]

Medians of whole commands: of a hand-in whose files decide it, one whose weights do not fit, and one that is graded.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

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
        took = statistics.median(each[name] for each in seconds)
        ratio = statistics.median(each[name] / each["import torch"] for each in seconds)
        print(f"{name:20} {took:6.2f} s  {ratio:5.2f} × import torch")


def _seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=False, capture_output=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
