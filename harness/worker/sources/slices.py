"""Slice a module: which of its statements a name needs, going backward through those at its top level.

Kept: imports, functions, classes and assignments that the needed names refer to, directly or through each other, and
simple statements that change a needed object. Left out: everything else, above all training. What a statement refers
to is read from its compiled form, so that local variables are never taken for global ones.
"""

from __future__ import annotations

import ast
import copy
import dis
import functools
import types
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

_LOADS = frozenset({"LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS", "STORE_GLOBAL"})
_STORES = frozenset({"STORE_NAME", "STORE_GLOBAL"})
_DYNAMIC = frozenset({"globals", "eval", "exec"})
_TRAINING = frozenset({"backward", "step", "fit"})
_EFFECTLESS = _TRAINING | {"show", "savefig", "save", "close", "cuda", "to", "cpu", "eval", "train", "join", "start"}
_LOOP_CALLS = frozenset("range len zip enumerate list dict set tuple str int float min max sorted reversed".split())  # noqa: SIM905
_LOOP_METHODS = frozenset({"append", "extend", "update", "add", "insert", "items", "keys", "values", "setdefault"})

Key = tuple[int, str]
Star = Callable[[ast.ImportFrom], frozenset[str] | None]


@dataclass(frozen=True, slots=True)
class BoundNames:
    """What one statement binds at module level, and the global names it or anything inside it may look up."""

    binds: frozenset[str]
    uses: frozenset[str]


def bound_names(statement: ast.stmt) -> BoundNames:
    """BoundNames of a statement; none for one that does not compile, such as a `return` outside a function."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = compile(ast.Module([statement], []), "<source>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, TypeError):
        return BoundNames(frozenset(), frozenset())
    binds = {str(each.argval) for each in dis.get_instructions(code) if each.opname in _STORES}
    uses = {str(each.argval) for part in _codes(code) for each in dis.get_instructions(part) if each.opname in _LOADS}
    stored = {str(i.argval) for part in _codes(code) for i in dis.get_instructions(part) if i.opname == "STORE_GLOBAL"}
    # The compiler drops what stands under `if False:`; here it counts.
    inner = [bound_names(each) for each in leaves([statement])] if blocks(statement) else []
    binds, uses = binds.union(stored, *(each.binds for each in inner)), uses.union(*(each.uses for each in inner))
    return BoundNames(frozenset(binds), frozenset(uses))


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    waiting = [code]
    while waiting:
        code = waiting.pop()
        yield code
        waiting += [each for each in code.co_consts if isinstance(each, types.CodeType)]


def is_main_guard(statement: ast.stmt) -> bool:
    """`if __name__ == "__main__":`, whichever way round."""
    if not isinstance(statement, ast.If) or not isinstance(statement.test, ast.Compare):
        return False
    sides = [statement.test.left, *statement.test.comparators]
    named = any(isinstance(each, ast.Name) and each.id == "__name__" for each in sides)
    return named and any(isinstance(each, ast.Constant) and each.value == "__main__" for each in sides)


def blocks(statement: ast.stmt) -> list[list[ast.stmt]]:
    """The statement lists inside an `if`, `try` or `with`; none for anything else."""
    match statement:
        case ast.If():
            return [statement.body, statement.orelse]
        case ast.With():
            return [statement.body]
        case ast.Try():
            return [statement.body, *(each.body for each in statement.handlers), statement.orelse, statement.finalbody]
        case _:
            return []


def leaves(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements with those inside `if`, `try` and `with` blocks instead of these."""
    for each in statements:
        inner = blocks(each)
        if inner:
            for block in inner:
                yield from leaves(block)
        else:
            yield each


def flattened(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements with those under `if __name__ == "__main__":` in its place."""
    for each in statements:
        if is_main_guard(each):
            assert isinstance(each, ast.If)
            yield from flattened(each.body)
        else:
            yield each


def root_name(node: ast.expr) -> str | None:
    """`a` of `a.b[c].d`."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


class Slicer:
    """Slices of one module.

    Args:
        statements: all of the module's, in order, main guards flattened.
        star: names that `from x import *` brings if x is the student's own module; None otherwise.
        foreign: names bound to modules that are not the student's: calling their functions changes nothing needed.
    """

    def __init__(self, statements: Sequence[ast.stmt], star: Star, foreign: frozenset[str]) -> None:
        self._statements = statements
        self._star = star
        self._foreign = foreign
        self._bound_names = functools.cache(bound_names)
        self._trainers = training_names(statements)
        self.definitions = frozenset(
            each.name for each in leaves(statements) if isinstance(each, ast.FunctionDef | ast.ClassDef)
        )
        self._setters = {
            each.name: self._bound_names(each).binds - {each.name}
            for each in leaves(statements) if isinstance(each, ast.FunctionDef)
        }  # fmt: skip

    def slice(self, names: Iterable[str], done: set[Key]) -> tuple[list[tuple[int, ast.stmt]], set[str]]:
        """The statements that `names` need and that are not yet `done`, as (position, pruned statement).

        Returns:
            The statements in source order, and all names found to be needed.
        """
        needed = set(names)
        while True:
            pruned = [(at, self._prune(each, needed, done)) for at, each in enumerate(self._statements)]
            pieces = [(at, each) for at, each in pruned if each is not None]
            more = set[str]().union(*(self._uses(each) | self._parts(each) for _, each in pieces))
            if more & _DYNAMIC:
                more |= self.definitions
            if more <= needed:
                return pieces, needed
            needed |= more

    def _uses(self, statement: ast.stmt) -> frozenset[str]:
        return self._bound_names(statement).uses if not blocks(statement) else bound_names(statement).uses

    def _parts(self, statement: ast.stmt) -> frozenset[str]:
        """`g` of `g = parser.add_argument_group()`: what is done to g is done to the parser."""
        adds = isinstance(statement, ast.Assign) and self._added_to(statement.value) not in {None, *self._foreign}
        return self._bound_names(statement).binds if adds else frozenset()

    def _added_to(self, value: ast.expr | None) -> str | None:
        """The name whose object an `add…` method is called on, such as `parser`."""
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr.startswith("add"):
            return root_name(value.func)
        return None

    def _prune(self, statement: ast.stmt, needed: set[str], done: set[Key]) -> ast.stmt | None:
        if blocks(statement):
            return self._prune_block(statement, needed, done)
        if isinstance(statement, ast.Import | ast.ImportFrom):
            return self._prune_import(statement, needed, done)
        return statement if (id(statement), "") not in done and self._needs(statement, needed) else None

    def _prune_block(self, statement: ast.stmt, needed: set[str], done: set[Key]) -> ast.stmt | None:
        kept: dict[int, list[ast.stmt]] = {}
        for at, block in enumerate(blocks(statement)):
            found = [self._prune(each, needed, done) for each in block]
            kept[at] = [each for each in found if each is not None]
        if not any(kept.values()):
            return None
        shallow = copy.copy(statement)
        if isinstance(shallow, ast.Try):
            shallow.handlers = [copy.copy(each) for each in shallow.handlers]
        if isinstance(shallow, ast.If) and is_main_guard(shallow):
            shallow.test = ast.copy_location(ast.Constant(True), shallow.test)
        return _refilled(shallow, kept)

    def _prune_import(
        self, statement: ast.Import | ast.ImportFrom, needed: set[str], done: set[Key]
    ) -> ast.stmt | None:
        if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
            brought = self._star(statement)
            if brought is None:
                return statement if (id(statement), "*") not in done else None
            aliases = [ast.alias(name) for name in sorted(brought & needed)]
        else:
            aliases = [each for each in statement.names if (each.asname or each.name.partition(".")[0]) in needed]
        aliases = [each for each in aliases if (id(statement), each.name) not in done]
        if not aliases or (isinstance(statement, ast.ImportFrom) and statement.module == "__future__"):
            return None
        shallow = copy.copy(statement)
        shallow.names = [ast.copy_location(each, statement) for each in aliases]
        shallow._original = id(statement)  # type: ignore[union-attr]  # noqa: SLF001 - so that `keys` knows it again
        return shallow

    def _needs(self, statement: ast.stmt, needed: set[str]) -> bool:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                return statement.name in needed
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                changed = self._bound_names(statement).binds | self._changed(statement)
                return bool(changed & needed) and not self._trains(statement)
            case ast.Expr(value=ast.Call() as call):
                return bool(self._changed_by_call(call) & needed) and not self._trains(statement)
            case ast.For():
                return self._simple_loop(statement) and any(self._needs(each, needed) for each in statement.body)
            case ast.While() | ast.AsyncFor() | ast.AsyncWith() | ast.Delete() | ast.Expr():
                return False
            case _:
                return bool(self._bound_names(statement).binds & needed) and not self._trains(statement)

    def _changed(self, statement: ast.Assign | ast.AnnAssign | ast.AugAssign) -> set[str]:
        """Names whose object changes: of `CFG["x"] = 1`, `Net.forward = f`, `g = parser.add_argument_group()`."""
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        parts = [
            each for target in targets for each in ast.walk(target) if isinstance(each, ast.Attribute | ast.Subscript)
        ]
        roots = {root_name(each) for each in parts}
        roots.add(self._added_to(statement.value))
        return {each for each in roots if each} - self._foreign

    def _changed_by_call(self, call: ast.Call) -> set[str]:
        match call.func:
            case ast.Attribute(attr=method) if method not in _EFFECTLESS:
                root = root_name(call.func)
                return {root} - self._foreign if root else set()
            case ast.Name(id="setattr" | "delattr") if call.args:
                root = root_name(call.args[0])
                return {root} - self._foreign if root else set()
            case ast.Name(id=name):
                return set(self._setters.get(name, ()))
            case _:
                return set()

    def _trains(self, statement: ast.AST) -> bool:
        return any(_called(each) in self._trainers for each in _calls(statement))

    def _simple_loop(self, loop: ast.For) -> bool:
        """A loop that only fills lists and tables, such as a width per layer; anything else may be training."""
        simple = (ast.Assign, ast.AugAssign, ast.Expr, ast.If, ast.Continue, ast.Pass)
        inner = [each for each in ast.walk(loop) if isinstance(each, ast.stmt) and each is not loop]
        harmless = all(
            _called(each) in _LOOP_CALLS | _LOOP_METHODS or root_name(each.func) in {"nn", "F", "math"}
            for each in _calls(loop)
        )
        return harmless and all(isinstance(each, simple) for each in inner)


def keys(statement: ast.stmt) -> Iterator[Key]:
    """What to remember of a slice's statement, so that it is not run twice."""
    for each in leaves([statement]):
        if isinstance(each, ast.Import | ast.ImportFrom):
            original = getattr(each, "_original", id(each))
            yield from ((original, alias.name) for alias in each.names)
        else:
            yield id(each), ""


def _refilled(statement: ast.stmt, kept: dict[int, list[ast.stmt]]) -> ast.stmt:
    filler: list[ast.stmt] = [ast.copy_location(ast.Pass(), statement)]
    match statement:
        case ast.If():
            statement.body, statement.orelse = kept[0] or filler, kept[1]
        case ast.With():
            statement.body = kept[0]
        case ast.Try():
            last = len(statement.handlers)
            statement.body = kept[0] or filler
            for at, handler in enumerate(statement.handlers, 1):
                handler.body = kept[at] or filler
            statement.orelse, statement.finalbody = kept[last + 1], kept[last + 2]
    return statement


def training_names(statements: Sequence[ast.stmt]) -> frozenset[str]:
    """Names of functions and methods that train, by a gradient step of their own or of what they call."""
    functions = [each for top in statements for each in ast.walk(top) if isinstance(each, ast.FunctionDef)]
    calls = [(each.name, {_called(call) for call in _calls(each)}) for each in functions]
    found = set(_TRAINING)
    while True:
        more = {name for name, called in calls if called & found and name not in {"__init__", "forward", "__call__"}}
        if more <= found:
            return frozenset(found)
        found |= more


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    return (each for each in ast.walk(node) if isinstance(each, ast.Call))


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""
