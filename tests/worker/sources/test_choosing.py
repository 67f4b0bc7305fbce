"""What is taken for the entry point, and what is said where nothing is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from harness.errors import SubmissionError
from harness.worker.failures import failure
from harness.worker.sources.definitions import Sources, find_entry_point

torch.set_num_threads(1)

NET = """
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 4)
    def forward(self, x):
        return self.fc(x)
"""


def sources(folder: Path, **files: str) -> Sources:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return Sources(folder, sorted(f"{name}.py" for name in files))


def test_classes_that_differ_in_comments_and_docstrings_are_one(tmp_path: Path) -> None:
    told = NET.replace("(nn.Module):\n", '(nn.Module):\n    """My network."""\n    # of four\n')
    told = told.replace("x):\n", "x):\n        'forward'\n")
    assert find_entry_point(sources(tmp_path, a=NET, b=told), ["Net"]).name == "Net"


def test_classes_that_differ_in_a_number_are_two(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="differently in 2 files"):
        find_entry_point(sources(tmp_path, a=NET, b=NET.replace("3, 4", "3, 5")), ["Net"])


@pytest.mark.parametrize(
    "leftover",
    ["from gone import Net\n", "from .gone import Net\n", "from gone.deep import *\nfrom gone import Net as Net\n"],
)
def test_an_import_that_leads_nowhere_is_no_entry_point(leftover: str, tmp_path: Path) -> None:
    found = sources(tmp_path, a_train=leftover, model=NET + "def make():\n    return Net()\n")
    assert find_entry_point(found, ["Net"]).file == "model.py"
    (tmp_path / "model.py").write_text(NET.replace("Net", "Other") + "def make():\n    return Other()\n")
    assert find_entry_point(Sources(tmp_path, ["a_train.py", "model.py"]), ["Net", "make"]).name == "make"


@pytest.mark.parametrize("left_out", ["from torch import nn\n", "import torch\nfrom torch import nn\n"])
def test_a_class_pasted_without_imports_is_offered_the_usual_ones(left_out: str, tmp_path: Path) -> None:
    pasted = NET.replace("from torch import nn\n", "").replace("self.fc(x)", "F.relu(self.fc(torch.abs(x)))")
    found = find_entry_point(sources(tmp_path, a=pasted), ["Net"])
    make: Any = found.object
    assert make()(torch.ones(1, 3)).shape == (1, 4)
    assert any("a.py uses nn and does not import it" in note for note in found.notes)


def test_other_names_stay_undefined(tmp_path: Path) -> None:
    with pytest.raises(NameError, match="'Block' is not defined"):
        find_entry_point(sources(tmp_path, a=NET.replace("nn.Module", "Block")), ["Net"])


@pytest.mark.parametrize(
    ("name", "wanted"), [("StudenNet", "StudentNet"), ("Studentnet", "StudentNet"), ("student_net", "StudentNet")]
)
def test_a_misspelt_name_is_guessed(name: str, wanted: str, tmp_path: Path) -> None:
    with pytest.raises(SubmissionError) as raised:
        find_entry_point(sources(tmp_path, a=NET.replace("Net", name)), [wanted])
    hint = str(raised.value.hint)
    assert hint.startswith(f"did you mean {name} (a.py line 3)? Rename the class to {wanted}, or ")
    assert f'entry_point = "{name}"' in hint


def test_a_broken_file_that_does_not_hold_the_name_is_not_blamed(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="Student was not found; there are class Net") as raised:
        find_entry_point(sources(tmp_path, a=NET, b="def f(:\n"), ["Student"])
    assert "correct that line" not in str(raised.value.hint)


def wrong_channels(module: torch.nn.Module, shape: tuple[int, ...]) -> Any:
    with pytest.raises(RuntimeError) as raised:
        module(torch.zeros(1, *shape))
    return failure(raised.value, shape).hint


def test_the_images_channels_are_blamed_only_where_the_images_arrive() -> None:
    conv = torch.nn.Conv2d
    assert wrong_channels(conv(1, 4, 3), (3, 8, 8)) == "images come with 3 channels: the first layer must take 3, not 1"
    inner = wrong_channels(torch.nn.Sequential(conv(3, 64, 3), conv(3, 3, 3)), (3, 8, 8))
    assert inner == "two layers do not fit: one takes 3 channels, and what comes before it gives 64"
    # Three channels inside are not the image's three.
    same = wrong_channels(torch.nn.Sequential(conv(3, 3, 3), conv(8, 3, 3)), (3, 8, 8))
    assert same.startswith("two layers do not fit: one takes 8 channels")


def test_memory_that_mmap_is_refused_is_memory() -> None:
    assert failure(OSError(12, "Cannot allocate memory")).status == "out_of_memory"
    assert failure(OSError(13, "Permission denied")).status == "crashed"
