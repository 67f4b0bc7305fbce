"""List what sources define at module level."""

from __future__ import annotations

import ast
import copy
import hashlib
from dataclasses import dataclass
from typing import Literal

from harness.worker.sources.slices import flattened, leaves
from harness.worker.sources.text import SourceText

Kind = Literal["class", "function", "assignment"]


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """A name defined at module level.

    Attributes:
        file: as tracebacks call it: `model.py`, or `hw.ipynb cell 3`.
        line: in that file or cell.
        path: the file, for `entry_point = "path:name"`.
    """

    name: str
    kind: Kind
    file: str
    line: int
    node: ast.stmt
    path: str

    @property
    def wording(self) -> str:
        """The same for definitions that differ in comments and docstrings only."""
        return hashlib.sha256(said_by(self.node).encode(errors="replace")).hexdigest()

    def __str__(self) -> str:
        return f"{self.kind} {self.name} ({self.file} line {self.line})"


def definitions_in(text: SourceText) -> list[Definition]:
    """All at module level, main guards and `if`, `try`, `with` blocks included, in source order."""
    found = []
    for chunk in text.chunks:
        for node in leaves(flattened(chunk.body)):
            kind, names = _defined(node)
            found += [Definition(name, kind, chunk.label, node.lineno, node, text.path) for name in names]
    return found


def said_by(node: ast.stmt) -> str:
    """What a definition says, comments and docstrings left out."""
    try:
        bare = copy.deepcopy(node)
    except RecursionError:
        return ast.dump(node)
    for each in ast.walk(bare):
        kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        if isinstance(each, kinds) and ast.get_docstring(each, clean=False) is not None:
            each.body = each.body[1:] or [ast.Pass()]
    return ast.dump(bare)


def _defined(node: ast.stmt) -> tuple[Kind, list[str]]:
    match node:
        case ast.ClassDef():
            return "class", [node.name]
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return "function", [node.name]
        case ast.Assign():
            return "assignment", [each.id for target in node.targets for each in _plain_names(target)]
        case ast.AnnAssign(target=ast.Name(id=name)) if node.value is not None:
            return "assignment", [name]
        case _:
            return "assignment", []


def _plain_names(target: ast.expr) -> list[ast.Name]:
    parts = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
    return [each for each in parts if isinstance(each, ast.Name)]
