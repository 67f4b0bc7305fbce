"""Code copied by hand is found, however it is dressed up; code that was written independently or handed out is not."""

from __future__ import annotations

import importlib.util
import io
import keyword
import random
import re
import tokenize
from pathlib import Path

import numpy as np
import pytest
from builders import REPOSITORY
from harness_similarity.evaluator import Similarity, SimilarityOptions
from harness_similarity.fingerprints import Winnow, code, common_runs
from harness_similarity.shared_code import shared_code
from harness_similarity.tokens import definitions
from hypothesis import given
from hypothesis import strategies as st

from harness.api import ClassEntry

WINNOW = Winnow(20, 32)
NET = (REPOSITORY / "submissions/ntu-ml2020-hw7/seed-000/model.py").read_text(encoding="utf-8")
OTHERS = {
    "seed-001": (REPOSITORY / "submissions/nycu-ds2023-hw2/seed-001").glob("*.py"),
    "seed-002": (REPOSITORY / "submissions/nycu-ds2023-hw2/seed-002").glob("*.py"),
    "seed-003": (REPOSITORY / "submissions/ntu-ml2023-hw13/seed-003").glob("*.py"),
    "seed-004": (REPOSITORY / "submissions/ntu-ml2020-hw7/seed-004-final").glob("*.py"),
}


def pairs(sources: dict[str, str], starter: str = "", floor: float = 0.4) -> dict[tuple[str, str], float]:
    texts = {name: {"model.py": text} for name, text in sources.items()}
    found = shared_code(texts, {"starter.py": starter}, WINNOW, floor, 100)
    return {pair: each.share for pair, each in found.pairs.items()}


def renamed(text: str) -> str:
    """Names that the code binds, numbers and comments replaced, by Python's own tokenizer."""
    bound = set(re.findall(r"(?:def|class|self\.|\bas) ?(\w+)|(\w+) *=", text))
    names = {name for pair in bound for name in pair if name and not keyword.iskeyword(name)} - {"__init__", "forward"}
    changed = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME and token.string in names:
            changed.append((token.type, f"v_{len(token.string)}_{token.string[::-1]}"))
        elif token.type == tokenize.NUMBER:
            changed.append((token.type, "17"))
        elif token.type != tokenize.COMMENT:
            changed.append((token.type, token.string))
    return tokenize.untokenize(changed)


def reordered(text: str) -> str:
    """The top-level blocks in the opposite order."""
    return "\n".join(reversed(re.split(r"\n(?=def |class )", text)))


COPIES = {
    "as it is": lambda text: text,
    "names, numbers, comments, layout": renamed,
    "functions in another order": reordered,
    "docstrings and comments": lambda text: re.sub(
        r"(\n +)(def \w+\(.*\):)", r'\1\2\1    """What it\1    does."""  # so', text
    ),
    "a notebook's magics": lambda text: f"!pip install torch\n%matplotlib inline\n{text}\n(((\n",
}


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_is_found_and_nobody_else(way: str) -> None:
    others = {name: "\n".join(each.read_text(encoding="utf-8") for each in files) for name, files in FILES.items()}
    found = pairs({"author": NET, "copy": COPIES[way](NET), **others})
    assert list(found) == [("author", "copy")]
    assert found["author", "copy"] > 0.85


FILES = {name: list(files) for name, files in OTHERS.items()}


def test_names_of_a_library_tell_networks_apart() -> None:
    def layers(kind: str, act: str) -> str:
        rows = "\n".join(
            f"        self.l{at} = nn.{kind}(3, {at}, padding=1); self.a{at} = nn.{act}()" for at in range(9)
        )
        return f"class Net(nn.Module):\n    def __init__(self):\n{rows}\n"

    assert pairs({"a": layers("Conv2d", "ReLU"), "b": layers("Linear", "GELU")}) == {}
    assert pairs({"a": layers("Conv2d", "ReLU"), "b": layers("Conv2d", "ReLU")}) == {("a", "b"): 1}


def test_what_was_handed_out_is_no_evidence() -> None:
    given_out = "def train(model, loader, optimizer):\n" + "".join(
        f"    loss_{at} = F.cross_entropy(model(loader[{at}]), target); optimizer.step()\n" for at in range(20)
    )
    assert list(pairs({"a": given_out, "b": renamed(given_out)})) == [("a", "b")]
    assert pairs({"a": given_out, "b": renamed(given_out)}, starter=given_out) == {}


def test_what_most_of_the_class_has_is_no_evidence() -> None:
    idiom = "def train(model, loader, optimizer):\n" + "".join(
        f"    loss_{at} = F.cross_entropy(model(loader[{at}]), target); optimizer.step()\n" for at in range(20)
    )
    assert pairs({f"student-{number:02}": idiom for number in range(12)}) == {}


def test_code_at_the_top_of_a_file_does_not_count() -> None:
    training = "".join(
        f"loss_{at} = F.cross_entropy(model(x), y); loss_{at}.backward(); opt.step()\n" for at in range(40)
    )
    assert pairs({"a": training, "b": training}) == {}


def test_published_networks_of_several_authors_stay_below_the_threshold() -> None:
    spec = importlib.util.find_spec("torchvision")
    assert spec is not None
    assert spec.origin is not None
    models = Path(spec.origin).parent / "models"
    names = ("alexnet", "densenet", "mnasnet", "resnet", "shufflenetv2", "squeezenet", "vgg", "vision_transformer")
    sources = {name: (models / f"{name}.py").read_text(encoding="utf-8") for name in names}
    assert pairs(sources) == {}
    # googlenet.py was made from inception.py's classes: the one pair of the folder that is known to share code.
    related = {name: (models / f"{name}.py").read_text(encoding="utf-8") for name in ("googlenet", "inception")}
    assert list(pairs({**sources, **related})) == [("googlenet", "inception")]


def test_passages_stand_where_they_say() -> None:
    first = f"import torch\n\n\n{NET}"
    texts = {"a": {"model.py": first}, "b": {"net.ipynb cell 2": NET}}
    (found,) = shared_code(texts, {}, WINNOW, 0.4, 10).pairs.values()
    for passage in found.passages:
        assert passage.one.first_line == passage.other.first_line + 3
        assert passage.one.last_line == passage.other.last_line + 3
        assert passage.one.text.split("\n")[0] == first.split("\n")[passage.one.first_line - 1]
        assert passage.one.text == passage.other.text
    assert found.passages[0].other.file == "net.ipynb cell 2"


@given(st.integers(0, 10**6), st.integers(32, 60), st.integers(1, 80), st.integers(0, 80))
def test_a_common_run_of_the_guaranteed_length_always_has_a_common_fingerprint(
    seed: int, length: int, before: int, after: int
) -> None:
    # The guarantee of Schleimer, Wilkerson and Aiken's theorem, on texts that are random elsewhere.
    numbers = random.Random(seed)
    common = " ".join(f"lib{numbers.randrange(10**6)}" for _ in range(length))

    def around() -> dict[str, str]:
        noise = [f"other{numbers.randrange(10**9)}" for _ in range(before + after)]
        return {"f.py": f"def f(): {' '.join(noise[:before])} {common} {' '.join(noise[before:])}"}

    one, other = code(around(), WINNOW), code(around(), WINNOW)
    assert len(np.intersect1d(one.prints, other.prints)) > 0
    assert max(run.length + WINNOW.noise - 1 for run in common_runs(one, other)) >= length
    short = code({"f.py": f"def f(): {' '.join(common.split()[: WINNOW.noise - 1])}"}, WINNOW)
    assert len(np.intersect1d(one.prints, short.prints)) == 0


HOSTILE = {
    "one long line": "def f():\n x = " + "a + " * 30_000,
    "deep nesting": "def f():\n x = " + "(" * 100_000,
    "texts without an end": '"""\\' * 30_000,
    "texts of one line": "def f():\n" + "'\\" * 50_000,
    "the same again": "def f():\n" + " x = 1\n" * 20_000,
    "NUL": "def f():\n" + "\0" * 100_000,
    "beginnings": "def f(\n" * 10_000,
    "decorators": "@a\n" * 30_000,
    "no letters of ours": "def f():\n" + "ℵ=½é\u2028" * 20_000,
    "indented without end": "def f():\n" + "\t" * 100_000 + "x",
    "nothing": "",
}


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.timeout(20)
def test_whatever_is_handed_in_stops_nobody(what: str) -> None:
    sources = {"a": HOSTILE[what], "b": HOSTILE[what], "author": NET, "copy": NET}
    assert ("author", "copy") in pairs(sources)


@given(st.text("\n \t()[]'\"\\#=:,.@abdefclass0", max_size=200))
def test_lines_stay_within_the_file(text: str) -> None:
    for each in definitions({"f.py": text}):
        assert len(each.lines) == len(each.tokens)
        assert list(each.lines) == sorted(each.lines)
        assert each.lines[-1] <= text.count("\n") + 1


def test_submissions_without_weights_are_compared_by_their_code() -> None:
    entries = [ClassEntry(name, {}, {}, "", None, None, {"model.py": NET}) for name in ("a", "b")]
    (finding,) = Similarity().evaluate_class(entries, SimilarityOptions(), {}).findings
    assert finding.evidence == {"found": "code", "common code": 1}
    assert "same" not in finding.paragraph.split("common source")[0]


def test_thresholds_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="noise_tokens = 40 is more than guarantee_tokens"):
        SimilarityOptions(noise_tokens=40)
