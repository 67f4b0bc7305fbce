"""Take definitions from students' sources without running their training code."""

from __future__ import annotations

import ast
import difflib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import SubmissionError
from harness.text import first_of
from harness.worker.sources.literals import literal_bytes, longest_literal
from harness.worker.sources.missing_import import Absent
from harness.worker.sources.modules import Code
from harness.worker.sources.named import Definition, definitions_in, said_by
from harness.worker.sources.project import Project
from harness.worker.sources.reading import read_sources
from harness.worker.sources.slices import bound_names, training_names
from harness.worker.sources.text import CORRECT_LINE, Chunk, SourceText

_MODULES = frozenset({"Module", "Sequential", "LightningModule", "ModuleList", "ScriptModule"})
_MAX_NAMES_SHOWN = 12
_MAX_NAMES_COMPARED = 300
_MAX_NAME_CHARACTERS = 60


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
        # Students' trees may nest as deep as the parser allows; compiling them recurses just as deep.
        sys.setrecursionlimit(max(sys.getrecursionlimit(), 3000))
        self._texts = read_sources(folder, list(map(str, relative_paths)))
        self._project = Project(folder, self._texts)

    def names(self) -> list[Definition]:
        """All definitions at module level, main guards and `if`, `try`, `with` blocks included, in source order."""
        return [each for text in self._texts for each in definitions_in(text)]

    def errors(self) -> list[str]:
        """What does not parse: file, line, reason and text."""
        return [error for text in self._texts for error in text.errors]

    def literal_bytes(self) -> int:
        """Compressed size of all that sources can hold beside code: see `harness.worker.sources.literals`."""
        return literal_bytes(chunk for text in self._texts for chunk in text.chunks)

    def longest_literal(self) -> str:
        """The longest of the literals and where it stands, in words."""
        return longest_literal(chunk for text in self._texts for chunk in text.chunks)

    def has(self, name: str) -> bool:
        """Whether `load(name)` would find something to load."""
        return bool(self._candidates(name)) or self._imported(name) is not None

    def load(self, name: str) -> Located:
        """The object called `name`, or `file:name` where several files define it, with what it needs and no more.

        Raises:
            SubmissionError: nothing or more than one thing is called so.
            BaseException: what its definition raises; the traceback names the student's line.
        """
        found = self._candidates(name)
        plain = name.rpartition(":")[2]
        if not found:
            imported = self._imported(name)
            if imported is None:
                raise self.not_found([name])
            code, value = imported
            return Located(value, plain, code.path, 1, self._notes())
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
        broken = self._broken(names)
        if broken:
            more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
            kind = "syntax error: " if broken[0].hint == CORRECT_LINE else ""
            reason = f"{kind}{broken[0].error}{more}; {wanted} is not defined elsewhere"
            return SubmissionError("rejected", reason, broken[0].hint)
        definitions = [each for each in self.names() if each.kind != "assignment"]
        modules = self._models()
        # Once each: a class defined twice is one thing to choose.
        ordered = list({str(each): each for each in modules + definitions}.values())
        if not self._texts:
            return SubmissionError(
                "rejected", "there is no .py or .ipynb file", f"hand in the source that defines {wanted}"
            )
        if not ordered:
            return SubmissionError(
                "rejected", f"{wanted} was not found: the sources define no class or function",
                f"hand in the source that defines {wanted}",
            )  # fmt: skip
        shown = first_of([str(each) for each in ordered], _MAX_NAMES_SHOWN)
        hint = self.did_you_mean(names, key)
        likely = self._tops(modules) or ordered
        lines = " or ".join(f'{key} = "{each.name}"' for each in likely[:3])
        return SubmissionError(
            "rejected",
            f"{wanted} was not found; there are {shown}",
            hint or f"write one line into submission.toml: {lines}",
        )

    def did_you_mean(self, names: Sequence[str], key: str = "entry_point") -> str | None:
        """For a misspelt name: which one is meant, and both ways to put it right."""
        known = {_letters(each.name): each for each in self.names() if each.kind != "assignment"}
        short = [each for each in known if len(each) <= _MAX_NAME_CHARACTERS][:_MAX_NAMES_COMPARED]
        for name in names:
            plain = name.rpartition(":")[2]
            close = difflib.get_close_matches(_letters(plain)[:_MAX_NAME_CHARACTERS], short, n=1, cutoff=0.8)
            if close:
                found = known[close[0]]
                place = f"{found.name} ({found.file} line {found.line})"
                line = f'{key} = "{found.name}"'
                return (
                    f"did you mean {place}? Rename the {found.kind} to {plain}, or write one line into "
                    f"submission.toml: {line}"
                )
        return None

    def meant_by(self, name: str) -> list[Definition]:
        """The definitions that `name` may mean, one per file."""
        return self._candidates(name)

    def key_of(self, definition: Definition) -> str:
        """What `load` takes for it: its name, with the file where several define it."""
        several = len(self._candidates(definition.name)) > 1
        return f"{definition.path}:{definition.name}" if several else definition.name

    def makers(self) -> list[Definition]:
        """Whatever may make a network without being told more: models, then functions and instances of them.

        Functions that train are left out: they are called to see what they return.
        """
        models = self._models()
        tops = self._tops(models)
        ordered = tops + [each for each in models if each not in tops]
        known = {each.name for each in models}
        rest = [each for each in self.names() if not isinstance(each.node, ast.ClassDef)]
        for _ in range(3):  # a function that calls a function that makes the class
            known |= {each.name for each in rest if each.kind == "function" and bound_names(each.node).uses & known}
        trainers = {name for text in self._texts for name in training_names(_statements_of(text))}
        makes = [each for each in rest if each.name not in trainers and _may_make(each, known)]
        return list({(each.path, each.name): each for each in [*ordered, *makes]}.values())

    def _broken(self, names: Sequence[str]) -> list[Chunk]:
        """What does not parse and may have held one of the names; where nothing else is defined, all of it."""
        broken = [chunk for text in self._texts for chunk in text.chunks if chunk.error]
        plain = [each.rpartition(":")[2] for each in names]
        holding = [each for each in broken if not each.text or any(name in each.text for name in plain)]
        return holding or ([] if any(each.kind != "assignment" for each in self.names()) else broken)

    def _candidates(self, name: str) -> list[Definition]:
        """One definition per file, the last; classes and functions before assignments."""
        path, _, plain = name.rpartition(":")
        found: dict[str, Definition] = {}
        for each in self.names():
            if each.name == plain and path in {"", each.path, each.path.rpartition(".")[0]}:
                found[each.path] = each
        solid = [each for each in found.values() if each.kind != "assignment"]
        return solid or list(found.values())

    def _imported(self, name: str) -> tuple[Code, object] | None:
        """What a file has by an import; a leftover script may import what is not there, which is nothing."""
        path, _, plain = name.rpartition(":")
        for code in self._project.codes.values():
            if path in {"", code.path} and plain in code.bound():
                value = getattr(code.module, plain, None)
                if value is not None and not isinstance(value, Absent):
                    return code, value
        return None

    def _single(self, name: str, found: list[Definition]) -> Definition:
        different = {said_by(each.node): each for each in reversed(found)}
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


def _statements_of(text: SourceText) -> list[ast.stmt]:
    return [each for chunk in text.chunks for each in chunk.body]


def _may_make(definition: Definition, known: set[str]) -> bool:
    """Whether a function without further requirements, or a call's value, refers to a network's class."""
    node = definition.node
    if isinstance(node, ast.FunctionDef):
        needed = len(node.args.posonlyargs) + len(node.args.args) - len(node.args.defaults)
        needed += sum(default is None for default in node.args.kw_defaults)
        returns = any(isinstance(each, ast.Return) and each.value is not None for each in ast.walk(node))
        return needed == 0 and returns and bool(bound_names(node).uses & (known | {"nn", "models", "torchvision"}))
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
        return bool({each.id for each in ast.walk(node.value.func) if isinstance(each, ast.Name)} & known)
    return False


def _letters(name: str) -> str:
    return name.replace("_", "").casefold()


def _bases(node: ast.stmt) -> set[str]:
    assert isinstance(node, ast.ClassDef)
    names = {each.id for each in node.bases if isinstance(each, ast.Name)}
    return names | {each.attr for each in node.bases if isinstance(each, ast.Attribute)}


def _has_forward(node: ast.stmt) -> bool:
    assert isinstance(node, ast.ClassDef)
    return any(isinstance(each, ast.FunctionDef) and each.name == "forward" for each in node.body)


def _short(text: str, limit: int = 600) -> str:
    return text if len(text) <= limit else f"{text[:limit]} …"
