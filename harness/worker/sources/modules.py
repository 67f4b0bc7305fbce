"""Import a student's file as a module that defines a name when it is asked for, and no more.

A module runs nothing when it is imported: looking up a name runs the slice that defines it
(`harness.worker.sources.slices`). Imports between a student's files go the same way.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import linecache
import sys
import types
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from harness.errors import SubmissionError
from harness.worker.cpu_only import cpu_only
from harness.worker.failures import describe
from harness.worker.sources.magics import run_path
from harness.worker.sources.missing_import import Absent, offered
from harness.worker.sources.slices import Slicer, bound_names, flattened, keys, leaves
from harness.worker.sources.text import Chunk, SourceText


class StudentModule(types.ModuleType):
    """A module whose names appear when they are looked up."""

    def __getattr__(self, name: str) -> Any:
        code: Code | None = self.__dict__.get("_harness_code")
        if code is not None and not name.startswith("__") and code.provide(name):
            return self.__dict__[name]
        submodule = code.project.submodule(code.dotted, name) if code and not name.startswith("__") else None
        if submodule is not None:
            return submodule
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


class _Builtins(dict[str, Any]):
    """Python's builtins for one module; a name that is missing is provided late, or its absence explained."""

    code: Code

    def __missing__(self, name: str) -> Any:
        if self.code.provide(name):
            return vars(self.code.module)[name]
        if name in self.code.skipped:
            raise NameError(f"name {name!r} is not defined: {self.code.skipped[name]}", name=name)
        if name in self.code.bound():
            raise KeyError(name)
        self[name] = offered(name)
        self.code.project.note(f"{self.code.path} uses {name} and does not import it; it was offered all the same")
        return self[name]


class Siblings(Protocol):
    """All files of a submission, as one of them sees them; `harness.worker.sources.project` holds them."""

    root: str
    folder: Path

    def note(self, text: str) -> None: ...

    def exists(self, dotted: str) -> bool: ...

    def module(self, dotted: str) -> StudentModule: ...

    def has(self, dotted: str, name: str) -> bool: ...

    def submodule(self, dotted: str, name: str) -> StudentModule | None: ...

    def names(self, dotted: str) -> frozenset[str]: ...

    def exports(self, dotted: str) -> frozenset[str]: ...

    def locate(self, name: str, folder: Sequence[str], fromlist: tuple[str, ...]) -> str | None: ...

    def anywhere(self, name: str) -> str | None: ...


class Code:
    """One source file: its statements, which of them ran, and what they defined."""

    def __init__(self, project: Siblings, dotted: str, source: SourceText) -> None:
        self.project, self.dotted, self.source = project, dotted, source
        self.statements: list[ast.stmt] = []
        self.chunks: list[Chunk] = []
        self.skipped: dict[str, str] = {}
        self.done: set[tuple[int, str]] = set()
        for chunk in source.chunks:
            found = list(flattened(chunk.body))
            self.statements += found
            self.chunks += [chunk] * len(found)
            lines = chunk.text.splitlines(keepends=True)
            linecache.cache[chunk.label] = (len(chunk.text), None, lines, chunk.label)
        self._flags = _future_flags(self.statements)
        self._exports: frozenset[str] | None = None
        self._pending: set[str] = set()
        self.module = self._new_module()
        self.slicer = Slicer(self.statements, self._star, self._foreign())

    @property
    def path(self) -> str:
        return self.source.path

    def bound(self) -> frozenset[str]:
        """Every name that the module could provide."""
        if self._exports is None:
            self._exports = frozenset()  # files that star-import each other end here
            names = set().union(*(bound_names(each).binds for each in self.statements)) if self.statements else set()
            for each in leaves(self.statements):
                if isinstance(each, ast.ImportFrom) and each.names[0].name == "*":
                    names |= self._star(each) or frozenset()
            self._exports = frozenset(names)
        return self._exports

    def provide(self, name: str) -> bool:
        """Define `name`, running what it needs; whether the module now has it.

        Raises:
            BaseException: what the definition itself raises.
        """
        namespace = vars(self.module)
        if name in namespace or name in self._pending:
            return name in namespace
        if name not in self.bound():
            return self._foreign_star(name)
        self._pending.add(name)
        try:
            with cpu_only(), _one_argument(self.path):
                self._run([name])
        finally:
            self._pending.discard(name)
        return name in namespace

    def _foreign_star(self, name: str) -> bool:
        """Whether a star import of someone else's module brings the name."""
        stars = [each for each in leaves(self.statements) if _is_star(each) and (id(each), "*") not in self.done]
        if not stars:
            return False
        self._run([])
        return name in vars(self.module)

    def _run(self, names: Sequence[str]) -> None:
        pieces, needed = self.slicer.slice(names, self.done)
        for at, piece in pieces:
            todo = list(keys(piece))
            if all(key in self.done for key in todo):
                continue  # an import between the student's files came back here and ran it
            self.done.update(todo)
            self._attempt(at, piece, names)
        self._force(needed & self.bound(), names)

    def _attempt(self, at: int, piece: ast.stmt, wanted: Sequence[str]) -> None:
        try:
            self._execute(piece, self.chunks[at])
        except (SubmissionError, MemoryError):
            raise
        except (Exception, SystemExit) as error:
            if isinstance(piece, ast.Import | ast.ImportFrom):
                self._stand_in(piece, error)
                return
            binds = bound_names(piece).binds
            if binds & set(wanted) and len(list(leaves([piece]))) == 1:
                raise
            self._skip(at, piece, error)

    def _execute(self, piece: ast.stmt, chunk: Chunk) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.Module([piece], [])
            code = compile(tree, chunk.label, "exec", flags=self._flags, dont_inherit=True)
        exec(code, vars(self.module))  # noqa: S102 - this is what the sandbox is for

    def _stand_in(self, piece: ast.Import | ast.ImportFrom, error: BaseException) -> None:
        """Placeholders for what cannot be imported; most such packages only draw or log."""
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        names = []
        for alias in piece.names:
            name = alias.asname or alias.name.partition(".")[0]
            if name != "*":
                vars(self.module).setdefault(name, Absent(name, reason))
            names.append(name)
        where = f"{self._label(piece)} line {piece.lineno}"
        self.project.note(f"{where}: {', '.join(names)} cannot be imported ({reason}); a placeholder stands in")

    def _skip(self, at: int, piece: ast.stmt, error: BaseException) -> None:
        where = f"{self.chunks[at].label} line {piece.lineno}"
        reason = f"{where} was skipped because it raised {describe(error)}"
        self.skipped.update(dict.fromkeys(bound_names(piece).binds, reason))
        self.project.note(reason)

    def _force(self, needed: set[str] | frozenset[str], wanted: Sequence[str]) -> None:
        """Define what a condition or an error around it kept from being defined."""
        kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
        for at, statement in enumerate(self.statements):
            inner = [each for each in leaves([statement]) if each is not statement and isinstance(each, kinds)]
            for each in inner:
                missing = bound_names(each).binds & needed - set(vars(self.module))
                if missing & (set(wanted) | self.slicer.definitions | set(self.skipped)):
                    where = f"{self.chunks[at].label} line {each.lineno}"
                    self.project.note(
                        f"{where}: {', '.join(sorted(missing))} was taken whatever the block around it says"
                    )
                    self._attempt(at, each, wanted)

    def unused_lines(self) -> str:
        """The lines left out so far, as in 'model.py lines 3-9, 12', or nothing; unused definitions are no matter."""
        ranges: dict[str, list[list[int]]] = {}
        for chunk, statement in zip(self.chunks, self.statements, strict=True):
            if not _is_quiet(statement) and not any(key in self.done for key in keys(statement)):
                spans = ranges.setdefault(chunk.label, [])
                if spans and statement.lineno <= spans[-1][1] + 2:
                    spans[-1][1] = statement.end_lineno or statement.lineno
                else:
                    spans.append([statement.lineno, statement.end_lineno or statement.lineno])
        return "; ".join(f"{label} lines {', '.join(map(_span, spans))}" for label, spans in ranges.items())

    def _label(self, piece: ast.stmt) -> str:
        found = (c.label for c, s in zip(self.chunks, self.statements, strict=True) if s.lineno == piece.lineno)
        return next(found, self.path)

    def _new_module(self) -> StudentModule:
        module = StudentModule(f"{self.project.root}.{self.dotted}")
        names = _Builtins(vars(builtins))
        names.code = self
        names["__import__"] = self._import
        is_package = PurePosixPath(self.path).name == "__init__.py"
        package = self.dotted if is_package else self.dotted.rpartition(".")[0]
        module.__dict__.update(
            __file__=str(self.project.folder / self.path), __builtins__=names, _harness_code=self,
            __package__=f"{self.project.root}.{package}".rstrip("."),
        )  # fmt: skip
        return module

    def _import(
        self, name: str, _globals: Any = None, _locals: Any = None, fromlist: Sequence[str] | None = (), level: int = 0
    ) -> Any:
        target = self._target(name, level, tuple(fromlist or ()))
        if target is None:
            if level:
                raise ImportError(
                    f"there is no file for 'from {'.' * level}{name} import …' in the submission", name=name
                )
            from harness.torchvision_import import make_importable

            make_importable(name)
            return __import__(name, _globals, _locals, fromlist or (), 0)
        module = self.project.module(target)
        if fromlist:
            for each in fromlist:
                if each != "*" and not self.project.has(target, each):
                    self.project.submodule(target, each)
            return module
        parts = target.split(".")
        return self.project.module(".".join(parts[: len(parts) - name.count(".")]))

    def _target(self, name: str, level: int, fromlist: tuple[str, ...]) -> str | None:
        if level:
            package = self.module.__package__ or ""
            above = package.split(".")[1:]
            above = above[: max(0, len(above) - level + 1)]
            dotted = ".".join([*above, *([name] if name else [])])
            return dotted if self.project.exists(dotted) else self.project.anywhere(name)
        return self.project.locate(name, self.dotted.split(".")[:-1], fromlist)

    def _star(self, statement: ast.ImportFrom) -> frozenset[str] | None:
        target = self._target(statement.module or "", statement.level, ("*",))
        if target is None:
            return None
        # `%run` brings every name, those that begin with an underscore included.
        return self.project.exports(target) if run_path(statement) is None else self.project.names(target)

    def _foreign(self) -> frozenset[str]:
        names = set()
        for each in leaves(self.statements):
            if isinstance(each, ast.Import):
                names |= {alias.asname or alias.name.partition(".")[0] for alias in each.names}
            elif isinstance(each, ast.ImportFrom) and self._target(each.module or "", each.level, ()) is None:
                names |= {alias.asname or alias.name for alias in each.names}
        return frozenset(names)


def _future_flags(statements: Sequence[ast.stmt]) -> int:
    import __future__

    names = [
        alias.name for each in statements if isinstance(each, ast.ImportFrom) and each.module == "__future__"
        for alias in each.names
    ]  # fmt: skip
    flags = [getattr(getattr(__future__, name, None), "compiler_flag", 0) for name in names]
    return int(sum(set(flags)))


def _is_quiet(statement: ast.stmt) -> bool:
    quiet = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Pass
    return isinstance(statement, quiet) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def _is_star(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*"


def _span(lines: Sequence[int]) -> str:
    return str(lines[0]) if lines[0] == lines[1] else f"{lines[0]}-{lines[1]}"


@contextlib.contextmanager
def _one_argument(path: str) -> Iterator[None]:
    """`parser.parse_args()` then yields its defaults."""
    before, sys.argv = sys.argv, [path]
    try:
        yield
    finally:
        sys.argv = before
