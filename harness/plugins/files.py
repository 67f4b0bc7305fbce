"""Hold writers and exporters to files that can be written, where they were asked for."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from harness.plugins.faults import broken, expect
from harness.plugins.kinds import Kind


def expect_files(kind: Kind, item: Any, method: str, returned: object) -> dict[str, str]:
    """File name -> text, as writers and exporters return it.

    Raises:
        PluginError: it is something else.
    """
    files = expect(kind, item, method, returned, dict, advice=' of file names and texts, such as {"board.txt": text}')
    if not files:
        raise broken(kind, item, f"{method}() returned no file")
    return dict(expect_file(kind, item, method, pair) for pair in files.items())


def expect_file(kind: Kind, item: Any, method: str, made: object) -> tuple[str, str]:
    """(path below a folder, text) of one file.

    Raises:
        PluginError: it is something else, its path leads out of the folder, or its text cannot be written.
    """
    if not (isinstance(made, tuple) and [type(each) for each in made] == [str, str]):
        raise broken(kind, item, f"{method}() gave {made!r:.80}, no pair of a path and a text")
    name, text = made
    parts, windows = PurePosixPath(name).parts, PureWindowsPath(name)
    if not parts or name.startswith("/") or windows.drive or ".." in windows.parts or "\0" in name:
        raise broken(kind, item, f"{method}() gave the path {name!r}, which is none below a folder, as board.txt is")
    for each in (name, text):
        try:
            each.encode()
        except UnicodeEncodeError as error:
            said = f"{method}() gave {name!r} with {each[error.start]!r} in it, which is no character"
            raise broken(kind, item, f"{said}: harness.api.text.clean() takes it out") from error
    return name, text
