"""Notebooks as students hand them in: files that cells write, magics, what nbconvert made of them, broken JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.errors import SubmissionError
from harness.worker.sources.definitions import Sources, find_entry_point

torch.set_num_threads(1)

IMPORTS = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n"
CLASS = """class Net(nn.Module):
    width = 4

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, self.width)

    def forward(self, x):
        return self.fc(x)
"""
NET = IMPORTS + CLASS
OLD = NET.replace("= 4", "= 9")
USE = "from net import Net\n"


def cells(*sources: Any, **more: Any) -> str:
    return json.dumps({"nbformat": 4, "cells": [{"cell_type": "code", "source": each, **more} for each in sources]})


def dump(magic: str, line: str, body: str) -> str:
    return f"get_ipython().run_cell_magic({magic!r}, {line!r}, {body!r})\n"


def sources(folder: Path, files: dict[str, str]) -> Sources:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Sources(folder, sorted(files))


# name -> (files, a phrase of the notes)
GIVES_FOUR: dict[str, tuple[dict[str, str], str]] = {
    "two cells write the file": (
        {"a.ipynb": cells("%%writefile net.py\n" + OLD, "%%writefile net.py\n" + NET, USE)},
        "net.py is what a.ipynb cell 2 wrote last; a.ipynb cell 1 wrote it before, and it was overwritten",
    ),
    "%%file overwrites %%writefile": (
        {"a.ipynb": cells("%%writefile net.py\n" + OLD, USE, "%%file net.py\n" + NET)}, "a.ipynb cell 3",
    ),
    "appended": ({"a.ipynb": cells("%%writefile net.py\n" + IMPORTS, "%%writefile -a net.py\n" + CLASS, USE)}, ""),
    "appended by its long name": (
        {"a.ipynb": cells("%%writefile net.py\n" + IMPORTS, "%%file --append net.py\n" + CLASS, USE)}, "",
    ),
    "overwritten, then appended": (
        {"a.ipynb": cells("%%file net.py\n" + OLD, "%%file net.py\n" + IMPORTS, "%%file -a net.py\n" + CLASS, USE)},
        "a.ipynb cell 2 and a.ipynb cell 3 wrote last",
    ),
    "written twice with the same text": ({"a.ipynb": cells("%%file net.py\n" + NET, "%%file net.py\n" + NET, USE)}, ""),
    "absolute path": ({"a.ipynb": cells("%%writefile /content/net.py\n" + NET, USE)}, ""),
    "absolute path with folders": ({"a.ipynb": cells('%%file "/content/drive/My Drive/net.py"\n' + NET, USE)}, ""),
    "path from the home": ({"a.ipynb": cells("%%writefile ~/work/net.py\n" + NET, USE)}, ""),
    "folder beside the notebook": (
        {"nb/a.ipynb": cells("%%writefile parts/net.py\n" + NET, "from parts.net import Net\n")}, "",
    ),
    "the file that was handed in wins": (
        {"a.ipynb": cells("%%writefile net.py\n" + OLD, USE), "net.py": NET},
        "net.py: the file that was handed in counts, not what a.ipynb cell 1 would write there",
    ),
    "the file wins against an absolute path": (
        {"a.ipynb": cells("%%writefile /kaggle/working/src/net.py\n" + OLD), "src/net.py": NET},
        "src/net.py: the file that was handed in counts",
    ),
    "run": ({"a.ipynb": cells("%run net.py\n"), "net.py": NET}, ""),
    "run with options and arguments": ({"a.ipynb": cells("%run -i ./net.py --epochs 3\n"), "net.py": NET}, ""),
    "run without its ending": ({"a.ipynb": cells("%run net\n"), "net.py": NET}, ""),
    "run of a name that is no identifier": (
        {"a.ipynb": cells("%run 'my parts-2.py'\n" + CLASS), "my parts-2.py": IMPORTS + "_hidden = 1\n"}, "",
    ),
    "run of a module that Python has too": (
        {"a.ipynb": cells("%run types.py\n" + CLASS.replace("nn.Linear", "Layer")),
         "types.py": IMPORTS + "class Layer(nn.Linear):\n    pass\n"}, "",
    ),
    "run brings private names": (
        {"a.ipynb": cells("%run parts.py\n" + CLASS.replace("nn.Linear", "_layer")),
         "parts.py": IMPORTS + "__all__ = []\ndef _layer(a, b):\n    return nn.Linear(a, b)\n"}, "",
    ),
    "run of a notebook": ({"b.ipynb": cells("%run common.ipynb\n" + CLASS), "common.ipynb": cells(IMPORTS)}, ""),
    "run of a file in another folder": (
        {"nb/a.ipynb": cells("%run ../lib/common.py\n" + CLASS), "lib/common.py": IMPORTS}, "",
    ),
    "run of a file that a cell wrote": ({"a.ipynb": cells("%%file b.py\n" + IMPORTS, "%run b.py\n" + CLASS)}, ""),
    "run of an absent file": (
        {"a.ipynb": cells("%run gone.py\n", NET)}, "a.ipynb cell 1 line 1: %run gone.py: that file was not handed in",
    ),
    "load": ({"a.ipynb": cells("%load parts.py\n", CLASS), "parts.py": IMPORTS}, ""),
    "timed assignment": (
        {"a.ipynb": cells(IMPORTS + "%time width = 4\n" + CLASS.replace("width = 4", "width = width"))}, "",
    ),
    "timed assignment in a block": (
        {"a.ipynb": cells(IMPORTS + "if True:\n    %time W = 4\n" + CLASS.replace("= 4", "= W"))}, "",
    ),
    "stacked cell magics": ({"a.ipynb": cells("%%capture out\n%%time\n" + NET)}, ""),
    "a null cell": (
        json.loads(json.dumps({"a.ipynb": cells(NET).replace("]}", ", null]}")})),
        "a.ipynb: cell 2 of 2, text cells counted, is null and was left out",
    ),
    "a null source": ({"a.ipynb": cells(None, NET)}, ""),
    "a list with nulls": ({"a.ipynb": cells([*NET.splitlines(keepends=True), None])}, ""),
    "a list without line ends": ({"a.ipynb": cells(NET.split("\n"))}, ""),
    "no source at all": ({"a.ipynb": json.dumps({"cells": [{"cell_type": "code"}, *json.loads(cells(NET))["cells"]]})}, ""),
    "line ends inside JSON texts": ({"a.ipynb": cells(NET).replace("\\n", "\n")}, ""),
    "outputs of any size": ({"a.ipynb": cells(NET, outputs=[{"text": "x" * (17 << 20)}])}, ""),
    "a timed cell, by nbconvert": ({"a.py": IMPORTS + dump("time", "", CLASS)}, ""),
    "a captured cell, by an old nbconvert": (
        {"a.py": IMPORTS + "get_ipython().magic(u'matplotlib inline')\n" + dump("capture", "out", CLASS)}, "",
    ),
    "a shell cell, by nbconvert": ({"a.py": dump("bash", "", "rm -rf / && (") + NET}, ""),
    "a cell after a cell, by nbconvert": (
        {"a.py": IMPORTS + dump("time", "", "W = 2") + "W *= 2\n" + dump("time", "", CLASS.replace("= 4", "= W"))}, "",
    ),
    "a written file, by nbconvert": ({"a.py": dump("writefile", "net.py", NET) + USE}, ""),
    "a timed line, by nbconvert": (
        {"a.py": IMPORTS + "get_ipython().run_line_magic('time', 'W = 4')\n" + CLASS.replace("= 4", "= W")}, "",
    ),
    "a run, by nbconvert": ({"a.py": "get_ipython().run_line_magic('run', 'b.py')\n" + CLASS, "b.py": IMPORTS}, ""),
    "a run in a condition, by nbconvert": (
        {"a.py": "if True:\n    get_ipython().run_line_magic('run', 'b.py')\n" + CLASS, "b.py": IMPORTS}, "",
    ),
    "a written file in a dump with raw magics": ({"a.py": "!nvidia-smi\n%%writefile net.py\n" + NET}, ""),
}  # fmt: skip


@pytest.mark.parametrize("case", GIVES_FOUR)
def test_the_class_is_what_the_notebook_had_in_the_end(case: str, tmp_path: Path) -> None:
    files, note = GIVES_FOUR[case]
    located = find_entry_point(sources(tmp_path, files), ["Net"])
    make: Any = located.object
    assert make().fc.out_features == 4
    notes = "\n".join(located.notes)
    assert note in notes
    assert note or "overwritten" not in notes


LINES = json.dumps(json.loads(cells("x = 1\n", NET)), indent=1)
HALF = LINES[: LINES.index("super")]
CONFLICT = LINES.replace('   "source": "import', '<<<<<<< HEAD\n   "source": "import', 1)

# name -> (text, phrases of the reason, a phrase of the hint)
BROKEN: dict[str, tuple[str, tuple[str, ...], str]] = {
    "cut off in a text": (HALF, ("a.ipynb is cut off", f"line {HALF.count(chr(10)) + 1}, in cell 2"), "the whole file"),
    "cut off between cells": (cells("x = 1", NET)[:-2], ("a.ipynb is cut off", "in cell 2"), "the whole file"),
    "cut off at once": ('{"cells": [', ("a.ipynb is cut off: the file ends at line 1",), "the whole file"),
    "a conflict of git": (
        CONFLICT,
        (f"line {CONFLICT.split('<<<<')[0].count(chr(10)) + 1}, in cell 2", "conflict marker of git", "`<<<<<<< HEAD`"),
        "keep one of the two versions",
    ),
    "a conflict around the whole file": (
        "<<<<<<< Updated upstream\n" + LINES,
        ("line 1", "conflict marker"),
        "keep one",
    ),
    "a lost comma": (
        LINES.replace('"cell_type": "code",', '"cell_type": "code"', 1),
        ("not valid JSON: line 6", "in cell 1", "expecting ',' delimiter"),
        "correct that place",
    ),
    "empty": ("", ("a.ipynb is empty",), "save"),
    "a web page": ("<!DOCTYPE html><html></html>", ("a web page",), "download the notebook itself"),
    "a script": (NET, ("begins with `import torch`",), "call a script .py"),
    "other JSON": ('{"a": 1}', ("no list of cells",), "Jupyter"),
    "cells that are none": ('{"cells": {"a": 1}}', ("no list of cells",), "Jupyter"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_notebook_is_described_by_place_and_cause(case: str, tmp_path: Path) -> None:
    text, phrases, hint = BROKEN[case]
    with pytest.raises(SubmissionError) as raised:
        find_entry_point(sources(tmp_path, {"a.ipynb": text}), ["Net"])
    assert all(phrase in raised.value.reason for phrase in phrases), raised.value.reason
    assert hint in str(raised.value.hint)
    assert "syntax error" not in raised.value.reason
    assert "correct that line" not in str(raised.value.hint)


def test_a_broken_notebook_does_not_stop_a_class_elsewhere(tmp_path: Path) -> None:
    located = find_entry_point(sources(tmp_path, {"a.ipynb": HALF, "b.py": NET}), ["Net"])
    assert "a.ipynb is cut off" in "\n".join(located.notes)


def test_too_much_source_is_refused_as_such(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match=r"code cells of a\.ipynb hold more than"):
        find_entry_point(sources(tmp_path, {"a.ipynb": cells("x = 1\n", "#" * (17 << 20))}), ["Net"])


@pytest.mark.parametrize("marker", ["<<<<<<< HEAD", ">>>>>>> theirs"])
def test_a_conflict_in_a_script_is_named(marker: str, tmp_path: Path) -> None:
    with pytest.raises(SubmissionError) as raised:
        find_entry_point(sources(tmp_path, {"a.py": f"{IMPORTS}{marker}\n{CLASS}=======\n"}), ["Net"])
    assert f"a.py line 4: a conflict marker of git: `{marker}`" in raised.value.reason
    assert "keep one" in str(raised.value.hint)
