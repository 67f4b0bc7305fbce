"""How long comparing the sources of a class takes, and whether another program of the kind agrees.

    pip install copydetect        # for the second part
    python benchmarks/source_similarity.py [--submissions 1000]

The class: 100 lines that all have and 200 lines of torchvision's networks from a place of one's own. copydetect
(PyPI), which winnows characters of all code and tells no names apart, so that independent networks share half, is given
the example submissions, torchvision's networks and a renamed copy of one; listed are the pairs that either
of the two finds.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import re
import resource
import tempfile
import time
from pathlib import Path

from harness_similarity.fingerprints import Winnow
from harness_similarity.shared_code import shared_code

SUBMISSIONS = Path(__file__).parents[1] / "submissions"
WINNOW, SHARE, COPYDETECT_SHARE = Winnow(20, 32), 0.4, 0.6


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--submissions", type=int, default=1000)
    asked = arguments.parse_args()
    spec = importlib.util.find_spec("torchvision")
    assert spec is not None
    assert spec.origin is not None
    models = sorted((Path(spec.origin).parent / "models").glob("*.py"))
    measure([line for each in models for line in each.read_text(encoding="utf-8").split("\n")], asked.submissions)
    if importlib.util.find_spec("copydetect") is not None:
        compare(models)


def measure(lines: list[str], count: int) -> None:
    drawn = random.Random(0)
    starts = [drawn.randrange(100, len(lines) - 200) for _ in range(count)]
    sources = {
        f"s{number:05}": {"m.py": "\n".join(lines[:100] + lines[at : at + 200])} for number, at in enumerate(starts)
    }
    started = time.perf_counter()
    found = shared_code(sources, {}, WINNOW, SHARE, 100)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"{count} submissions: {seconds:.1f} s, peak {peak:.0f} MB, {len(found.pairs)} pairs listed")


def compare(models: list[Path]) -> None:
    from copydetect import CopyDetector

    with tempfile.TemporaryDirectory() as scratch:
        files = {f"torchvision-{each.stem}": each for each in models}
        files |= {each.parent.name: each for each in sorted(SUBMISSIONS.glob("*/seed-*/*.py"))}
        texts = {name: each.read_text(encoding="utf-8") for name, each in files.items()}
        texts["renamed seed-000"] = re.sub(r"\bself\.(\w+)", r"me.\1_", texts["seed-000"]).replace("self", "me")
        for name, text in texts.items():
            Path(scratch, f"{name}.py").write_text(text, encoding="utf-8")
        judge = CopyDetector(
            test_dirs=[scratch], extensions=["py"], display_t=COPYDETECT_SHARE, autoopen=False, silent=True
        )
        judge.run()
        theirs = {
            tuple(sorted((Path(each[2]).stem, Path(each[3]).stem))): max(each[:2])
            for each in judge.get_copied_code_list()
        }
        ours = shared_code({name: {"m.py": text} for name, text in texts.items()}, {}, WINNOW, SHARE, 1000).pairs
    for pair in sorted(theirs.keys() | ours.keys()):
        share = f"{ours[pair].share:.2f}" if pair in ours else "  – "
        print(f"{share}  copydetect {theirs.get(pair, 0):.2f}  {' and '.join(pair)}")


if __name__ == "__main__":
    main()
