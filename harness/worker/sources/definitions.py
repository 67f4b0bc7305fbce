"""Take definitions from students' sources without running their training code."""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.errors import SubmissionError
from harness.text import first_of
from harness.worker.sources.literals import literal_bytes
from harness.worker.sources.modules import Code, Project
from harness.worker.sources.slices import flattened, leaves
from harness.worker.sources.text import SourceText, read_source

Kind = Literal["class", "function", "assignment"]

_MODULES = frozenset({"Module", "Sequential", "LightningModule", "ModuleList", "ScriptModule"})
_MAX_NAMES_SHOWN = 12


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

    def __str__(self) -> str:
        return f"{self.kind} {self.name} ({self.file} line {self.line})"


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """A definition brought to life.

    Attributes:
        notes: what was coped with to get there.
    """

    object: object
    name: str
    file: str
    line: int
    notes: tuple[str, ...]


class Sources:
    """The sources of one submission.

    Args:
        folder: the submission.
        relative_paths: its `.py` and `.ipynb` files. None of them is run before a name is asked for.
    """

    def __init__(self, folder: Path, relative_paths: Sequence[str]) -> None:
        texts: dict[str, SourceText] = {}
        for path in relative_paths:
            for each in read_source(folder, str(path)):
                texts.setdefault(each.path, each)
        # Students' trees may nest as deep as the parser allows; compiling them recurses just as deep.
        sys.setrecursionlimit(max(sys.getrecursionlimit(), 3000))
        self._texts = list(texts.values())
        self._project = Project(folder, self._texts)

    def names(self) -> list[Definition]:
        """All definitions at module level, main guards and `if`, `try`, `with` blocks included, in source order."""
        return [each for text in self._texts for each in _definitions(text)]

    def errors(self) -> list[str]:
        """What does not parse: file, line, reason and text."""
        return [error for text in self._texts for error in text.errors]

    def literal_bytes(self) -> int:
        """Compressed size of all that sources can hold beside code: see `harness.worker.sources.literals`."""
        return literal_bytes(chunk for text in self._texts for chunk in text.chunks)

    def has(self, name: str) -> bool:
        """Whether `load(name)` would find something to load."""
        return bool(self._candidates(name)) or self._importing(name) is not None

    def load(self, name: str) -> Located:
        """The object called `name`, or `file:name` where several files define it, with what it needs and no more.

        Raises:
            SubmissionError: nothing or more than one thing is called so.
            BaseException: what its definition raises; the traceback names the student's line.
        """
        found = self._candidates(name)
        plain = name.rpartition(":")[2]
        if not found:
            code = self._importing(name)
            if code is None:
                raise self.not_found([name])
            return Located(getattr(code.module, plain), plain, code.path, 1, self._notes())
        chosen = self._single(name, found)
        code = next(each for each in self._project.codes.values() if each.path == chosen.path)
        if not code.provide(plain):
            reason = code.skipped.get(plain, "its definition did not run")
            raise SubmissionError("rejected", f"{chosen} could not be defined: {reason}")
        value = vars(code.module)[plain]
        return Located(value, plain, chosen.file, chosen.line, self._notes(chosen))

    def resolve(self, module: str, name: str) -> object:
        """What a pickle means by `module` and `name`, as they were on the student's machine.

        Raises:
            SubmissionError: the sources do not define it.
        """
        first, *rest = name.split(".")
        own = self._project.exists(module) or self._project.anywhere(module) is not None
        path = next((code.path for dotted, code in self._project.codes.items() if dotted == module), None)
        wanted = f"{path}:{first}" if own and path and self.has(f"{path}:{first}") else first
        value = self.load(wanted).object
        for part in rest:
            value = getattr(value, part)
        return value

    def not_found(self, names: Sequence[str], key: str = "entry_point") -> SubmissionError:
        """The refusal when none of `names` is defined, with what is there and the line that settles it."""
        wanted = " or ".join(names)
        errors = self.errors()
        if errors:
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            return SubmissionError(
                "rejected",
                f"syntax error: {errors[0]}{more}; {wanted} is not defined elsewhere",
                "correct that line",
            )
        definitions = [each for each in self.names() if each.kind != "assignment"]
        modules = self._models()
        # Once each: a class defined twice is one thing to choose.
        ordered = list({str(each): each for each in modules + definitions}.values())
        if not self._texts:
            return SubmissionError(
                "rejected", "there is no .py or .ipynb file", f"hand in the source that defines {wanted}"
            )
        if not ordered:
            return SubmissionError("rejected", f"{wanted} was not found: the sources define no class or function")
        shown = first_of([str(each) for each in ordered], _MAX_NAMES_SHOWN)
        likely = self._tops(modules) or ordered
        lines = " or ".join(f'{key} = "{each.name}"' for each in likely[:3])
        return SubmissionError(
            "rejected", f"{wanted} was not found; there are {shown}", f"write one line into submission.toml: {lines}"
        )

    def _candidates(self, name: str) -> list[Definition]:
        """One definition per file, the last; classes and functions before assignments."""
        path, _, plain = name.rpartition(":")
        found: dict[str, Definition] = {}
        for each in self.names():
            if each.name == plain and path in {"", each.path, each.path.rpartition(".")[0]}:
                found[each.path] = each
        solid = [each for each in found.values() if each.kind != "assignment"]
        return solid or list(found.values())

    def _importing(self, name: str) -> Code | None:
        path, _, plain = name.rpartition(":")
        codes = [code for code in self._project.codes.values() if path in {"", code.path}]
        return next((code for code in codes if plain in code.bound()), None)

    def _single(self, name: str, found: list[Definition]) -> Definition:
        different = {ast.dump(each.node): each for each in reversed(found)}
        if len(different) > 1:
            places = ", ".join(map(str, found))
            lines = " or ".join(f'entry_point = "{each.path}:{each.name}"' for each in found[:3])
            raise SubmissionError(
                "rejected", f"{name} is defined differently in {len(found)} files: {places}",
                f"remove one, or write one line into submission.toml: {lines}",
            )  # fmt: skip
        return found[0]

    def _notes(self, chosen: Definition | None = None) -> tuple[str, ...]:
        notes = [note for text in self._texts for note in text.notes] + list(self._project.notes)
        if chosen is not None:
            notes[:0] = self._doubled(chosen)
        left_out = [code.unused_lines() for code in self._project.codes.values() if code.done]
        listed = "; ".join(each for each in left_out if each)
        notes += [f"left out, not needed: {_short(listed)}"] if listed else []
        return (*notes, *(f"does not parse, ignored: {each}" for each in self.errors()))

    def _doubled(self, chosen: Definition) -> list[str]:
        same = [each for each in self.names() if each.name == chosen.name and each.path == chosen.path]
        if len(same) < 2 or chosen.kind == "assignment":
            return []
        lines = " and ".join(f"{each.file} line {each.line}" for each in same)
        return [f"{chosen.name} is defined {len(same)} times ({lines}); the last one counts"]

    def _models(self) -> list[Definition]:
        """Classes that look like an nn.Module, by their bases, or by a `forward` method."""
        classes = [each for each in self.names() if isinstance(each.node, ast.ClassDef)]
        known = set(_MODULES)
        for _ in range(len(classes) + 1):
            more = {each.name for each in classes if _bases(each.node) & known} - known
            if not more:
                break
            known |= more
        return [each for each in classes if each.name in known or _has_forward(each.node)]

    def _tops(self, models: list[Definition]) -> list[Definition]:
        """Models that no other model is made of."""
        used = {
            part.id for each in models for part in ast.walk(each.node)
            if isinstance(part, ast.Name) and part.id != each.name
        }  # fmt: skip
        return [each for each in models if each.name not in used]


def find_entry_point(sources: Sources, names: Sequence[str]) -> Located:
    """The first of `names` that the sources define.

    Raises:
        SubmissionError: none of them is defined; a likely class is suggested, never taken.
    """
    for name in names:
        if sources.has(name):
            return sources.load(name)
    raise sources.not_found(names)


def _definitions(text: SourceText) -> list[Definition]:
    found = []
    for chunk in text.chunks:
        for node in leaves(flattened(chunk.body)):
            kind, names = _defined(node)
            found += [Definition(name, kind, chunk.label, node.lineno, node, text.path) for name in names]
    return found


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


def _bases(node: ast.stmt) -> set[str]:
    assert isinstance(node, ast.ClassDef)
    names = {each.id for each in node.bases if isinstance(each, ast.Name)}
    return names | {each.attr for each in node.bases if isinstance(each, ast.Attribute)}


def _has_forward(node: ast.stmt) -> bool:
    assert isinstance(node, ast.ClassDef)
    return any(isinstance(each, ast.FunctionDef) and each.name == "forward" for each in node.body)


def _short(text: str, limit: int = 600) -> str:
    return text if len(text) <= limit else f"{text[:limit]} …"
