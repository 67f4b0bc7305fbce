"""Make what students are given: the assignment without private images, a source to start from, and how to check it."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterable
from itertools import compress
from pathlib import Path
from typing import Any

import tomli_w

from harness.assignment.loading import Assignment
from harness.assignment.stub import stub_source
from harness.contracts.formats import CopiesPart
from harness.data.images import public_images, raw_examples
from harness.errors import UsageError
from harness.plugins import Plugins
from harness.plugins.faults import blaming
from harness.plugins.kinds import DATASET

ASSIGNMENT_FILE = "assignment.toml"
_README = """# {title}

You need Python and the harness: `pip install compress-harness`, or what your course says. In this folder:

    harness show assignment.toml
    harness check assignment.toml my_folder
    harness submit assignment.toml my_folder

The first says what to hand in and what gives points. The second checks a folder with your source and your weights, as
the course does. The third checks once more and packs what to hand in. Begin with a copy of `model.py`: train it, and
save its weights beside it.
{images}"""
_SPLIT = """
The images here are the public ones. Others decide the rest of the score; nobody outside of the course has them.
"""


def hand_out(assignment: Assignment, plugins: Plugins, folder: Path, starter: Iterable[Path] = ()) -> list[str]:
    """Write everything to a folder that is empty or not there yet.

    Args:
        starter: files to hand out beside those that the assignment names.

    Returns:
        What was written, by its path in the folder.

    Raises:
        UsageError: the folder holds something, a file is not there, two have one name, or the public images cannot be
            told apart.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: holds something already; name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    document = tomllib.loads(assignment.source.read_text(encoding="utf-8-sig"))
    for name in assignment.rules.data:
        document["data"][name] |= _images(assignment, plugins, name, folder / "images" / name)
    if assignment.rules.teacher is not None:
        document["teacher"]["path"] = _teacher(assignment, document["teacher"], folder / "teacher")
    given = _starter([*assignment.starter, *starter], folder / "starter")
    if given:
        document["submission"]["starter"] = given
    (folder / ASSIGNMENT_FILE).write_text(tomli_w.dumps(document), encoding="utf-8")
    (folder / "model.py").write_text(stub_source(assignment, plugins), encoding="utf-8")
    readme = _README.format(title=assignment.rules.title, images=_SPLIT if _is_split(assignment) else "")
    (folder / "README.md").write_text(readme, encoding="utf-8")
    return sorted(each.relative_to(folder).as_posix() for each in folder.iterdir())


def _is_split(assignment: Assignment) -> bool:
    return assignment.rules.data["test"].public_fraction is not None


def _images(assignment: Assignment, plugins: Plugins, name: str, target: Path) -> dict[str, Any]:
    """Copy what students may have of a data set; what the file says of it instead."""
    rules, source = assignment.rules.data[name], assignment.data_paths[name]
    dataset = plugins.datasets[rules.dataset]
    target.mkdir(parents=True)
    split = name == "test" and _is_split(assignment)
    names = raw_examples(dataset, source).names
    chosen = list(compress(names, public_images(names, rules))) if split else names
    if isinstance(dataset, CopiesPart):
        with blaming(DATASET, dataset, "copy_part"):
            dataset.copy_part(source, target, set(chosen))
    elif len(chosen) == len(names):
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        raise UsageError(
            f"data.{name}: the plugin that reads {rules.dataset!r} cannot copy the public images alone: it has no "
            "copy_part()"
        )
    changed: dict[str, Any] = {"path": f"images/{name}", "stand_in": rules.stand_in}
    return changed | ({"public_only": True} if split else {})


def _teacher(assignment: Assignment, said: dict[str, Any], target: Path) -> str:
    rules = assignment.rules.teacher
    assert rules is not None
    target.mkdir()
    for each in (rules.source, rules.weights):
        (target / each).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(assignment.source.parent / said["path"] / each, target / each)
    return target.name


def _starter(files: Iterable[Path], target: Path) -> list[str]:
    given: list[str] = []
    for each in files:
        if not each.is_file():
            raise UsageError(f"{each}: no such file to hand out")
        if (target / each.name).exists():
            raise UsageError(f"two files to hand out are called {each.name}: rename one")
        target.mkdir(exist_ok=True)
        shutil.copyfile(each, target / each.name)
        given.append(f"{target.name}/{each.name}")
    return given
