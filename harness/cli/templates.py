"""Fill in the templates that come with the harness: real files, in which a name stands for the user's own."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from harness.assignment.shipped import fixtures
from harness.errors import UsageError

_FILLED_IN = {".py", ".toml"}


def template(*parts: str) -> Path:
    """A folder of templates, or a file of one."""
    return fixtures().joinpath("templates", *parts)


def spelt(stem: str, name: str) -> dict[str, str]:
    """Every way in which a template spells `my_<stem>`, and the same of `name`.

    Raises:
        UsageError: no Python name can be made of it.

    >>> spelt("plugin", "less-is-more")["MyPlugin"]
    'LessIsMore'
    """
    words = re.split(r"[-_ ]", name.lower())
    snake = "_".join(words)
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", snake):
        raise UsageError(f"{name}: a name has letters, digits and hyphens, and begins with a letter, such as my-{stem}")
    template_words = ("my", stem)
    return {
        spelling(template_words): spelling(words)
        for spelling in ("_".join, "-".join, lambda each: "".join(map(str.capitalize, each)), _title)
    }


def _title(words: Sequence[str]) -> str:
    return " ".join(words).capitalize()


def fill_in(files: Iterable[Path], folder: Path, names: Mapping[str, str]) -> list[Path]:
    """Write files, and folders of them, to a new folder, with one name in the place of another; returns what is there.

    Raises:
        UsageError: the folder is there already, or cannot be written.
    """
    if folder.exists():
        raise UsageError(f"{folder} is there already: choose another name, or another folder with --out")
    try:
        folder.mkdir(parents=True)
        for file in files:
            target = folder / _renamed(file.name, names)
            if file.is_dir():
                shutil.copytree(file, target)
            elif file.suffix in _FILLED_IN:
                target.write_text(_renamed(file.read_text(encoding="utf-8"), names), encoding="utf-8")
            else:
                shutil.copyfile(file, target)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror}") from error
    return sorted(folder.iterdir())


def _renamed(text: str, names: Mapping[str, str]) -> str:
    for before, after in names.items():
        text = text.replace(before, after)
    return text
