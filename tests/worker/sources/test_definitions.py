"""Messy sources, one trap each: what must come out, and what must not run."""

from __future__ import annotations

import json
import sys
import textwrap
import traceback
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import SubmissionError
from harness.worker.failures import failure
from harness.worker.sources.definitions import Located, Sources, find_entry_point

torch.set_num_threads(1)

BOOM = "raise SystemExit('training ran')\n"
NET = """
import torch
from torch import nn

class Net(nn.Module):
    width = 4

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, self.width)

    def forward(self, x):
        return self.fc(x)
"""


def sources(folder: Path, files: dict[str, str | bytes]) -> Sources:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Sources(folder, sorted(each for each in files if each.endswith((".py", ".ipynb"))))


def notebook(*cells: str) -> str:
    return json.dumps(
        {"nbformat": 4, "cells": [{"cell_type": "code", "source": each.splitlines(keepends=True)} for each in cells]}
    )


def built(located: Located) -> Any:
    make: Any = located.object
    return make()


# name -> (files, expected width of the last layer, part of the notes or "")
MESSY: dict[str, tuple[dict[str, str | bytes], int, str]] = {
    "training at module level": ({"a.py": NET + BOOM}, 4, "left out"),
    "training loop": ({"a.py": NET + "net = Net()\nfor epoch in range(10**9):\n    net.train()\n"}, 4, "left out"),
    "endless loop": ({"a.py": NET + "while True:\n    pass\n"}, 4, "a.py lines"),
    "local names that training also uses": (
        {"a.py": NET.replace("(self, x)", "(self, x, out=None)") + "x = 1/0\nout = 1/0\nself = 1/0\n"},
        4,
        "",
    ),
    "pip line": ({"a.py": "!pip install torchinfo \\\n  --quiet\n%matplotlib inline\n" + NET}, 4, ""),
    "pip in a block": (
        {"a.py": "try:\n    import nothing_here\nexcept ImportError:\n    !pip install x\n" + NET},
        4,
        "",
    ),
    "magic assignment": ({"a.py": "gpu = !nvidia-smi\n" + NET}, 4, ""),
    "percent is not always a magic": ({"a.py": "!ls\ns = ('%d'\n  % 3)\n" + NET.replace("= 4", "= int(s)")}, 3, ""),
    "help line": ({"a.py": "torch.nn?\n" + NET}, 4, ""),
    "bash cell in a dump": ({"a.py": "# In[1]:\n%%bash\nls -la && cd foo\n# In[2]:\n" + NET}, 4, ""),
    "get_ipython": ({"a.py": "get_ipython().system('pip install x')\n" + NET}, 4, ""),
    "main guard": ({"a.py": "if __name__ == '__main__':\n" + textwrap.indent(NET + BOOM, "    ")}, 4, "left out"),
    "main guard inside out": ({"a.py": "if '__main__' == __name__:\n" + textwrap.indent(NET, "  ")}, 4, ""),
    "class in try": ({"a.py": "try:\n" + textwrap.indent(NET + "    \n", "  ") + "except Exception:\n  pass\n"}, 4, ""),
    "class in if": (
        {
            "a.py": "big = False\nif big:\n"
            + textwrap.indent(NET.replace("= 4", "= 9"), "  ")
            + "else:\n"
            + textwrap.indent(NET, "  ")
        },
        4,
        "",
    ),
    "class behind a false condition": ({"a.py": "if False:\n" + textwrap.indent(NET, "  ")}, 4, "whatever the block"),
    "class behind a broken condition": (
        {"a.py": "import sys\nif sys.nothing.train:\n" + textwrap.indent(NET, "  ")},
        4,
        "whatever",
    ),
    "defined twice": ({"a.py": NET.replace("= 4", "= 9") + NET}, 4, "defined 2 times"),
    "defined on top of itself": (
        {"a.py": NET.replace("= 4", "= 9") + "class Net(Net):\n    width = 4\n"},
        4,
        "defined 2 times",
    ),
    "constants": ({"a.py": "W = 2\nW *= 2\n" + NET.replace("= 4", "= W")}, 4, ""),
    "config filled in": (
        {"a.py": "CFG = {}\nCFG['w'] = 1\nCFG.update(w=4)\nprint(1/0)\n" + NET.replace("= 4", "= CFG['w']")},
        4,
        "left out",
    ),
    "config filled by a loop": (
        {"a.py": "ws = []\nfor i in range(5):\n    ws.append(i)\n" + NET.replace("= 4", "= ws[-1]")},
        4,
        "",
    ),
    "args global": (
        {
            "a.py": "import argparse\np = argparse.ArgumentParser()\ng = p.add_argument_group('m')\n"
            "g.add_argument('--w', type=int, default=4)\nargs = p.parse_args()\n" + NET.replace("= 4", "= args.w")
        },
        4,
        "",
    ),
    "method put on later": (
        {
            "a.py": NET.replace("def forward", "def unused")
            + "def f(self, x):\n    return self.fc(x)\nNet.forward = f\n"
        },
        4,
        "",
    ),
    "setattr later": ({"a.py": NET + "setattr(Net, 'width', 5)\n"}, 5, ""),
    "absent import": (
        {
            "a.py": "import wandb\nfrom google.colab import drive\nimport torchsummary as ts\n"
            "drive.mount('/x')\n" + NET.replace("def forward(self, x)", "def forward(self, x: wandb.Run)")
        },
        4,
        "wandb cannot be imported",
    ),
    "absent star import": ({"a.py": "from nothing_here import *\n" + NET}, 4, "cannot be imported"),
    "installed star import": ({"a.py": "from torch.nn import *\n" + NET.replace("nn.Module", "Module")}, 4, ""),
    "sibling": (
        {
            "a.py": "from parts import make\n" + NET.replace("nn.Linear", "make"),
            "parts.py": "from torch import nn\ndef make(a, b):\n    return nn.Linear(a, b)\n" + BOOM,
        },
        4,
        "",
    ),
    "sibling star": (
        {"a.py": "from parts import *\n" + NET.replace("= 4", "= W"), "parts.py": "W = 4\n" + BOOM},
        4,
        "",
    ),
    "sibling module": (
        {"a.py": "import parts as p\n" + NET.replace("= 4", "= p.W"), "parts.py": "V = 2\nW = V + 2\n" + BOOM},
        4,
        "",
    ),
    "star of a star": (
        {"a.py": "from b import *\n" + NET.replace("= 4", "= W"), "b.py": "from c import *\n", "c.py": "W = 4\n"},
        4,
        "",
    ),
    "relative import": (
        {"src/a.py": "from .parts import W\n" + NET.replace("= 4", "= W"), "src/parts.py": "W = 4\n" + BOOM},
        4,
        "",
    ),
    "relative import two up": (
        {"p/q/a.py": "from ..parts import W\n" + NET.replace("= 4", "= W"), "p/parts.py": "W = 4\n"},
        4,
        "",
    ),
    "package": (
        {
            "a.py": "from pkg import W\nimport pkg.deep\n" + NET.replace("= 4", "= W + pkg.deep.Z"),
            "pkg/__init__.py": "from .deep import W\n",
            "pkg/deep.py": "W = 3\nZ = 1\n",
        },
        4,
        "",
    ),
    "sibling elsewhere": (
        {
            "main/a.py": "import sys\nsys.path.append('../lib')\nfrom parts import W\n" + NET.replace("= 4", "= W"),
            "lib/parts.py": "W = 4\n",
        },
        4,
        "",
    ),
    "circular": (
        {"a.py": "from b import W\nV = 3\n" + NET.replace("= 4", "= W"), "b.py": "import a\nW = a.V + 1\n"},
        4,
        "",
    ),
    "own random.py": (
        {"a.py": "import random\n" + NET.replace("= 4", "= random.randint(4, 4)"), "random.py": BOOM},
        4,
        "",
    ),
    "own torch.py": ({"torch.py": BOOM, "a.py": NET}, 4, ""),
    "CUDA at module level": (
        {
            "a.py": NET.replace("return self.fc(x)", "return self.fc(x.cuda())")
            + "device = torch.device('cuda')\nnet = Net().to(device)\n"
        },
        4,
        "",
    ),
    "needed CUDA tensor": (
        {"a.py": NET.replace("= 4", "= int(four)") + "four = torch.tensor(4.).cuda().to('cuda:0')\n"},
        4,
        "",
    ),
    "skipped assignment is not fatal": (
        {
            "a.py": "data = open('/nowhere/at/all')\n"
            + NET.replace("self.fc(x)\n", "self.fc(x) if x is not None else data\n")
        },
        4,
        "was skipped",
    ),
    "BOM": ({"a.py": b"\xef\xbb\xbf" + NET.encode()}, 4, ""),
    "UTF-16": ({"a.py": NET.encode("utf-16")}, 4, ""),
    "CRLF": ({"a.py": NET.replace("\n", "\r\n")}, 4, ""),
    "old Mac": ({"a.py": NET.replace("\n", "\r")}, 4, ""),
    "tabs": ({"a.py": NET.replace("    ", "\t")}, 4, ""),
    "Latin-1": ({"a.py": "# f\xfcr alle\n".encode("latin-1") + NET.encode()}, 4, ""),
    "cookie": ({"a.py": "# -*- coding: big5 -*-\n# 中文\n".encode("big5") + NET.encode()}, 4, ""),
    "wrong cookie": ({"a.py": "# -*- coding: klingon -*-\n" + NET}, 4, ""),
    "invalid escape": ({"a.py": "s = '\\d'\n" + NET.replace("= 4", "= len(s) + 2")}, 4, ""),
    "future import": (
        {"a.py": "from __future__ import annotations\n" + NET.replace("(self, x)", "(self, x: Nothing)")},
        4,
        "",
    ),
    "dataclass config": (
        {
            "a.py": "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass C:\n    w: int = 4\n"
            + NET.replace("= 4", "= C().w")
        },
        4,
        "",
    ),
    "notebook": ({"a.ipynb": notebook("!pip install x\n", NET, BOOM)}, 4, "a.ipynb cell 3"),
    "notebook with time cell": ({"a.ipynb": notebook("%%time\n" + NET, "%%bash\nrm -rf /\n")}, 4, ""),
    "notebook with a broken cell": ({"a.ipynb": notebook("this is no python\n", NET)}, 4, "does not parse"),
    "notebook that writes a file": (
        {"a.ipynb": notebook("%%writefile net.py\n" + NET, "from net import Net\n")},
        4,
        "",
    ),
    "old notebook": (
        {"a.ipynb": json.dumps({"worksheets": [{"cells": [{"cell_type": "code", "input": NET}]}]})},
        4,
        "",
    ),
    "notebook and its dump": ({"a.ipynb": notebook(NET), "a.py": NET}, 4, ""),
    "another file is broken": ({"a.py": NET, "b.py": "def f(:\n"}, 4, "does not parse"),
    "another file has NULs": ({"a.py": NET, "b.py": b"x = \0\0"}, 4, "NUL"),
    "another file is too deep": ({"a.py": NET, "b.py": "x = " + "(" * 5000 + ")" * 5000}, 4, "does not parse"),
    "name by eval": ({"a.py": NET.replace("= 4", "= eval('W')") + "W = 4\n"}, 4, ""),
    "global set by a function": (
        {"a.py": "W = 1\ndef setup():\n    global W\n    W = 4\nsetup()\n" + NET.replace("= 4", "= W")},
        4,
        "",
    ),
    "training result is needed by name only": (
        {
            "a.py": NET
            + "def train(n):\n    n.backward()\n    return 1/0\nacc = train(Net())\ndef report():\n    return acc\n"
        },
        4,
        "left out",
    ),
}


@pytest.mark.parametrize("case", MESSY)
def test_messy_source_gives_the_model_and_trains_nothing(case: str, tmp_path: Path) -> None:
    files, width, note = MESSY[case]
    located = find_entry_point(sources(tmp_path, files), ["Student", "Net"])
    module = built(located)
    assert module.fc.out_features == width
    assert note in "\n".join(located.notes)


REFUSED: dict[str, tuple[dict[str, str | bytes], str, str]] = {
    "syntax error": ({"a.py": "x = 1\nclass Net(:\n    pass\n"}, "a.py line 2", "`class Net(:`"),
    "python 2": ({"a.py": "print 'hi'\n" + NET.replace("Net", "Other")}, "a.py line 1", "print"),
    "missing class": (
        {"a.py": NET.replace("Net", "Student")},
        "class Student (a.py line 5)",
        'entry_point = "Student"',
    ),
    "part and whole": (
        {"a.py": NET.replace("Net", "Block") + NET.replace("Net", "Whole").replace("nn.Linear", "Block")},
        "class Block",
        'entry_point = "Whole"',
    ),
    "nothing at all": ({"a.py": ""}, "no class or function", ""),
    "no source": ({}, "no .py or .ipynb", ""),
    "two different ones": ({"a.py": NET, "b.py": NET.replace("= 4", "= 5")}, "differently", 'entry_point = "a.py:Net"'),
    "not a notebook": ({"a.ipynb": "[1, 2"}, "a.ipynb is cut off: the file ends at line 1", "the whole file"),
    "binary": ({"a.py": b"\x00\x01\x02"}, "NUL", ""),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_say_where_and_what_next(case: str, tmp_path: Path) -> None:
    files, reason, hint = REFUSED[case]
    with pytest.raises(SubmissionError) as raised:
        find_entry_point(sources(tmp_path, files), ["Net"])
    assert raised.value.status == "rejected"
    assert reason in raised.value.reason
    assert hint in raised.value.reason + str(raised.value.hint)


def test_the_model_that_no_other_uses_is_suggested_first(tmp_path: Path) -> None:
    text = NET.replace("Net", "Block") + NET.replace("Net", "Whole").replace("nn.Linear", "Block")
    with pytest.raises(SubmissionError) as raised:
        find_entry_point(sources(tmp_path, {"a.py": text}), ["Net"])
    assert "Block" not in str(raised.value.hint)


def test_a_file_is_named_where_several_define_the_class(tmp_path: Path) -> None:
    found = sources(tmp_path, {"a.py": NET, "b.py": NET.replace("= 4", "= 5")})
    assert built(found.load("b.py:Net")).fc.out_features == 5
    assert built(found.load("a:Net")).fc.out_features == 4


def test_tracebacks_show_the_students_line(tmp_path: Path) -> None:
    found = sources(tmp_path, {"a.ipynb": notebook("import torch", NET.replace("self.fc(x)", "self.nothing(x)"))})
    with pytest.raises(AttributeError) as raised:
        built(found.load("Net"))(torch.zeros(1, 3))
    shown = "".join(traceback.format_exception(raised.value))
    assert 'File "a.ipynb cell 2", line 13' in shown
    assert "return self.nothing(x)" in shown


def test_a_crash_while_defining_names_the_line(tmp_path: Path) -> None:
    found = sources(tmp_path, {"a.py": NET.replace("width = 4", "width = 1 / 0")})
    with pytest.raises(ZeroDivisionError) as raised:
        found.load("Net")
    assert "a.py line 6" in failure(raised.value).reason


def test_a_name_whose_assignment_was_skipped_explains_itself(tmp_path: Path) -> None:
    text = "table = open('/nowhere/at/all')\n" + NET.replace("return self.fc(x)", "return table")
    module = built(sources(tmp_path, {"a.py": text}).load("Net"))
    with pytest.raises(NameError, match=r"'table' is not defined: a.py line 1 was skipped.*FileNotFoundError"):
        module(torch.zeros(1, 3))


def test_a_placeholder_raises_when_it_is_used(tmp_path: Path) -> None:
    text = "import wandb\n" + NET.replace("return self.fc(x)", "return wandb.log(x)")
    module = built(sources(tmp_path, {"a.py": text}).load("Net"))
    with pytest.raises(ImportError, match=r"wandb\.log is not available here"):
        module(torch.zeros(1, 3))


def test_names_lists_kinds_places_and_nested_definitions(tmp_path: Path) -> None:
    text = "if True:\n    A = 1\ntry:\n    def f(): pass\nfinally:\n    pass\nclass C: pass\nx, y = 1, 2\nz: int\n"
    listed = [(each.name, each.kind, each.line) for each in sources(tmp_path, {"a.py": text}).names()]
    expected = [
        ("A", "assignment", 2),
        ("f", "function", 4),
        ("C", "class", 7),
        ("x", "assignment", 8),
        ("y", "assignment", 8),
    ]
    assert listed == expected


def test_resolve_finds_classes_as_pickles_name_them(tmp_path: Path) -> None:
    found = sources(
        tmp_path, {"model.py": NET + "class Out:\n    class In: pass\n", "other.py": NET.replace("= 4", "= 5")}
    )
    assert found.resolve("model", "Net").width == 4  # type: ignore[attr-defined]
    assert found.resolve("other", "Net").width == 5  # type: ignore[attr-defined]
    assert found.resolve("__main__", "Out.In").__name__ == "In"  # type: ignore[attr-defined]
    with pytest.raises(SubmissionError):
        found.resolve("model", "Nothing")


def test_loading_changes_nothing_outside(tmp_path: Path) -> None:
    before = (list(sys.path), list(sys.argv), torch.Tensor.cuda, torch.zeros, torch.nn.Module.to)
    sources(tmp_path, {"random.py": "A = 1\n", "a.py": NET}).load("Net")
    assert before == (list(sys.path), list(sys.argv), torch.Tensor.cuda, torch.zeros, torch.nn.Module.to)
    assert "A" not in vars(sys.modules["random"])


def test_factories_and_instances_are_loaded_too(tmp_path: Path) -> None:
    text = NET + "import functools\ndef make():\n    return Net()\nready = Net()\nlater = functools.partial(Net)\n"
    found = sources(tmp_path, {"a.py": text})
    assert isinstance(found.load("ready").object, torch.nn.Module)
    assert isinstance(found.load("make").object(), torch.nn.Module)  # type: ignore[operator]
    assert isinstance(found.load("later").object(), torch.nn.Module)  # type: ignore[operator]


@settings(max_examples=60)
@given(
    cut=st.integers(0, len(NET)), junk=st.text(max_size=30), at=st.integers(0, len(NET)),
    suffix=st.sampled_from([".py", ".ipynb"]), raw=st.binary(max_size=20),
)  # fmt: skip
def test_damaged_sources_are_read_or_refused(
    tmp_path: Path, cut: int, junk: str, at: int, suffix: str, raw: bytes
) -> None:
    text = (NET[:at] + junk + NET[at:])[: cut + len(junk)].encode("utf-8", "surrogatepass") + raw
    (tmp_path / f"a{suffix}").write_bytes(text)
    found = Sources(tmp_path, [f"a{suffix}"])
    found.names()
    with pytest.raises((SubmissionError, Exception)) as raised:
        find_entry_point(found, ["Nothing"])
    assert isinstance(raised.value, SubmissionError)
