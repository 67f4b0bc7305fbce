"""Read the code of a student's KD loss: its lines, the numbers in it, what it does with a parameter."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.api import Sources
from harness_kd.worker.search import Function, Target

_METHODS = {"mean", "sum", "values", "items"}
_GATHERING = {"sum", "enumerate", "zip", "list", "map", "stack", "cat"}


def gathers(node: ast.AST, name: str) -> bool:
    """Whether the code goes through a parameter, or stacks or averages it, as one does with several teachers."""
    for each in ast.walk(node):
        gathered: list[ast.AST] = []
        if isinstance(each, ast.For | ast.comprehension):
            gathered = [each.iter]
        elif isinstance(each, ast.Call):
            called = each.func.id if isinstance(each.func, ast.Name) else ""
            attribute = each.func.attr if isinstance(each.func, ast.Attribute) else ""
            gathered = [*each.args] if called in _GATHERING or attribute in {"stack", "cat"} else []
            gathered += [each.func.value] if isinstance(each.func, ast.Attribute) and attribute in _METHODS else []
        if any(isinstance(part, ast.Name) and part.id == name for part in gathered):
            return True
    return False


def code_lines(target: Target, sources: Sources, *, most: int = 120, longest: int = 200) -> list[tuple[int, str]]:
    """(line, statement) of the target and of the helpers it names, each statement on one line, capped."""
    whole = target.node if len(target.path) == 1 else target.definition.node
    lines = [
        (statement.lineno, ast.unparse(statement).replace("\n", " ")[:longest])
        for node in [whole, *_helpers(target, whole, sources)]
        for statement in _statements(node)
    ]
    return lines[:most]


def literals(target: Target, sources: Sources, *, most: int = 60) -> list[float]:
    """Numbers in the body of the function, or of a function it names, that may stand for α or T.

    Defaults are no part of the body; exponents, indices and dimensions are other numbers.
    """
    helpers = [each for each in _helpers(target, target.node, sources) if isinstance(each, Function)]
    bodies = [body for node in [target.node, *helpers] for body in _body(node)]
    found = {
        float(each.value) for body in bodies for each in _values(body)
        if isinstance(each, ast.Constant) and isinstance(each.value, int | float) and abs(each.value) < 1e9
    }  # fmt: skip
    return sorted(found)[:most]


def _values(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all in it that may be a value of its own."""
    queue = [node]
    while queue:
        each = queue.pop()
        yield each
        match each:
            case ast.BinOp(left=left, op=ast.Pow()):
                queue.append(left)
            case ast.Subscript(value=value):
                queue.append(value)
            case ast.Call(func=function, args=arguments):
                queue += [function, *arguments[:1]]
            case _:
                queue += ast.iter_child_nodes(each)


def _body(node: ast.AST) -> list[ast.AST]:
    body = getattr(node, "body", [])
    return [*body] if isinstance(body, list) else [body]


def _helpers(target: Target, node: ast.AST, sources: Sources) -> list[ast.AST]:
    """Up to three functions and classes of the same file that a node names."""
    used = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    return [
        each.node for each in sources.names()
        if each.name in used and each.kind != "assignment" and each.node is not node
        and each.node is not target.definition.node and each.file == target.definition.file
    ][:3]  # fmt: skip


def _statements(node: ast.AST) -> Iterator[ast.stmt | ast.expr]:
    """Statements without a body of their own; a docstring is none."""
    if isinstance(node, ast.Lambda):
        yield node
    for child in ast.walk(node):
        if isinstance(child, ast.Return | ast.Assign | ast.AugAssign | ast.AnnAssign) or (
            isinstance(child, ast.Expr) and not isinstance(child.value, ast.Constant)
        ):
            yield child
