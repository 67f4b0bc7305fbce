"""Hold all files of a submission as modules below one package, and find the one that an import means.

Each file becomes a module below a package of its own in `sys.modules`, so that a student's `random.py` can never stand
in for Python's.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from harness.worker.sources.modules import Code, StudentModule
from harness.worker.sources.slices import bound_names, leaves
from harness.worker.sources.text import SourceText


class Project:
    """All files of a submission, as modules below one package.

    Args:
        sources: what `read_source` made of them.
    """

    def __init__(self, folder: Path, sources: Sequence[SourceText]) -> None:
        self.folder = folder
        self.root = _free_name()
        self.notes: list[str] = []
        package = StudentModule(self.root)
        package.__dict__.update(__path__=[], _harness_code=None)
        sys.modules[self.root] = package
        self._folders: dict[str, StudentModule] = {"": package}
        self._by_name = _module_names(sources)
        self._codes: dict[str, Code] = {}

    @property
    def codes(self) -> Mapping[str, Code]:
        """Every file by its dotted name."""
        for name in self._by_name:
            self.code(name)
        return {name: self._codes[name] for name in self._by_name}

    def code(self, dotted: str) -> Code:
        if dotted not in self._codes:
            code = Code(self, dotted, self._by_name[dotted])
            self._codes[dotted] = code
            sys.modules[code.module.__name__] = code.module
        return self._codes[dotted]

    def note(self, text: str) -> None:
        """Remember what was coped with, once."""
        if text not in self.notes:
            self.notes.append(text)

    def exists(self, dotted: str) -> bool:
        return dotted in self._by_name or any(name.startswith(f"{dotted}.") for name in self._by_name) or not dotted

    def module(self, dotted: str) -> StudentModule:
        """The module of a file or folder."""
        if dotted in self._by_name:
            return self.code(dotted).module
        if dotted not in self._folders:
            folder = StudentModule(f"{self.root}.{dotted}")
            folder.__dict__.update(__path__=[], _harness_code=None)
            sys.modules[folder.__name__] = self._folders[dotted] = folder
        return self._folders[dotted]

    def has(self, dotted: str, name: str) -> bool:
        return dotted in self._by_name and name in self.code(dotted).bound()

    def submodule(self, dotted: str, name: str) -> StudentModule | None:
        """The module `name` in the package `dotted`, set there as its attribute."""
        full = f"{dotted}.{name}".lstrip(".")
        if full not in self._by_name and not any(each.startswith(f"{full}.") for each in self._by_name):
            return None
        vars(self.module(dotted))[name] = self.module(full)
        return self.module(full)

    def names(self, dotted: str) -> frozenset[str]:
        """All that a file could provide."""
        return self.code(dotted).bound() if dotted in self._by_name else frozenset()

    def exports(self, dotted: str) -> frozenset[str]:
        """What `from dotted import *` brings."""
        if dotted not in self._by_name:
            return frozenset()
        code = self.code(dotted)
        for each in leaves(code.statements):
            if isinstance(each, ast.Assign) and any(getattr(t, "id", "") == "__all__" for t in each.targets):
                with contextlib.suppress(ValueError, TypeError):
                    return frozenset(map(str, ast.literal_eval(each.value)))
        return frozenset(name for name in code.bound() if not name.startswith("_"))

    def locate(self, name: str, folder: Sequence[str], fromlist: tuple[str, ...]) -> str | None:
        """The student's own module for an absolute import, or None to take the installed one.

        Python's own modules always win, other installed ones unless the student's file has what is imported.
        """
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names:
            return None
        bases = [".".join(folder[:depth]) for depth in range(len(folder), -1, -1)]
        own = next((each for base in bases if self.exists(each := f"{base}.{name}".lstrip("."))), self.anywhere(name))
        if own is None or not self._installed(top):
            return own
        if fromlist == ("*",):
            return own if top not in sys.modules else None
        holds = fromlist and own in self._by_name and set(fromlist) <= _definitions(self._by_name[own])
        return own if holds else None

    def anywhere(self, name: str) -> str | None:
        """The file of that module name in whatever folder, the least deep first."""
        found = [each for each in self._by_name if name and each.endswith(f".{name}")]
        return min(found, key=lambda each: (each.count("."), each), default=None)

    def _installed(self, top: str) -> bool:
        if top in sys.modules:
            return True
        try:
            found = importlib.util.find_spec(top)
        except (ImportError, ValueError, AttributeError):
            return False
        if found is None or found.origin is None:
            return False
        return not Path(found.origin).resolve().is_relative_to(self.folder.resolve())


def _definitions(source: SourceText) -> set[str]:
    kinds = (ast.FunctionDef, ast.ClassDef, ast.Assign)
    inner = (each for chunk in source.chunks for each in leaves(chunk.body) if isinstance(each, kinds))
    return set().union(*(bound_names(each).binds for each in inner))


def _module_names(sources: Sequence[SourceText]) -> dict[str, SourceText]:
    """Dotted name -> source; a `.py` goes before a notebook of the same name."""
    named: dict[str, SourceText] = {}
    for source in sorted(sources, key=lambda each: each.path.lower().endswith(".ipynb")):
        path = PurePosixPath(source.path)
        parts = (
            path.parent.parts if path.name == "__init__.py" and path.parent.parts else (*path.parent.parts, path.stem)
        )
        dotted = ".".join(part.replace(".", "_") for part in parts)
        while dotted in named:
            dotted += "_"
        named[dotted] = source
    return named


def _free_name() -> str:
    number, name = 1, "handed_in"
    while name in sys.modules:
        number += 1
        name = f"handed_in_{number}"
    return name
