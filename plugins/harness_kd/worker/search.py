"""Find the KD loss among a submission's definitions, without running any of it."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.api import Definition, Sources
from harness_kd.worker.names import TENSORS, assign, tokens


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """A function, class or method that may be the KD loss; `path` is its dotted name, split."""

    path: tuple[str, ...]
    definition: Definition
    node: ast.AST

    @property
    def name(self) -> str:
        return ".".join(self.path)

    def key(self, sources: Sources) -> str:
        """What `sources.load` takes for it: with the file, where several define the name."""
        paths = {each.path for each in sources.names() if each.name == self.path[0]}
        return f"{self.definition.path}:{self.path[0]}" if len(paths) > 1 else self.path[0]

    @property
    def parameters(self) -> list[str]:
        return parameter_names(self.node, method=len(self.path) > 1)


Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

_TRAINING = {"loader", "dataloader", "optimizer", "optim", "epochs", "scheduler", "trainloader"}
_TRAINING_CALLS = {"backward", "step", "zero_grad"}
_SOFTENING = {"softmax", "log_softmax", "kl_div", "kldivloss", "kldiv", "logsoftmax"}
_CALLED = ("forward", "__call__")
_MAKERS = {"partial", "partialmethod", "script", "compile", "wraps", "vmap"}
"""Calls that give a function."""
LIKELY_AT_LEAST = 7
_MOST_CANDIDATES = 4
_GATHERING = {"sum", "enumerate", "zip", "list", "map", "stack", "cat"}


def parameter_names(node: ast.AST, *, method: bool = False) -> list[str]:
    """Names of the parameters a function node declares, `self` or `cls` left out."""
    if not isinstance(node, Function):
        return []
    arguments = node.args
    names = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return names[1:] if method and names[:1] in (["self"], ["cls"]) else names


class Ambiguous(Exception):
    """Several files define the loss differently, and nothing says which one counts."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self.targets = targets
        name, paths = targets[0].name, sorted({each.definition.path for each in targets})
        super().__init__(f"`{name}` is defined differently in {', '.join(paths)}")
        self.hint = f'write into submission.toml which one counts: kd_function = "{paths[0]}:{name}"'


def find(sources: Sources, wanted: Sequence[str], near: str = "") -> list[tuple[Target, list[str]]]:
    """The KD loss: by the wanted names in their order, else the likeliest few; and notes on how each was chosen.

    Args:
        near: where the network is defined, as in 'model.py line 3': of several files, this one counts.

    Raises:
        Ambiguous: only the student can say which definition counts.
    """
    targets = _all_targets(sources)
    for file, _, name in (each.rpartition(":") for each in wanted):
        there = [target for target in targets if target.definition.path == (file or target.definition.path)]
        named = [target for target in there if target.name == name] or [
            target for target in there if len(target.path) > 1 and target.path[-1] == name
        ]
        if named:
            chosen, notes = _settled(named, near)
            return [(_callable_part(chosen, targets), notes)]
    likely = sorted(
        (target for target in targets if likelihood(target) >= LIKELY_AT_LEAST), key=likelihood, reverse=True
    )
    missing = f"there is no {' or '.join(f'`{name}`' for name in wanted)}; " if wanted else ""
    found = []
    for target in likely[:_MOST_CANDIDATES]:
        others = [f"`{each.name}`" for each in likely[:_MOST_CANDIDATES] if each is not target]
        notes = [f"{missing}`{target.name}` looks like the KD loss and was judged"]
        found.append((target, notes + [f"also looked likely: {', '.join(others)}"] * bool(others)))
    return found


def _all_targets(sources: Sources) -> list[Target]:
    """Every definition that may be called; an assignment only where it holds something to call."""
    definitions = sources.names()
    known = {each.name: each for each in definitions if each.kind != "assignment"}
    return [
        target
        for each in definitions
        if each.kind != "assignment" or holds_callable(each, known)
        for target in _targets(each)
    ]


def holds_callable(definition: Definition, known: Mapping[str, Definition]) -> bool:
    """Whether an assignment holds a function or an instance, as far as its text tells; a call's result is a value."""
    node = definition.node
    if isinstance(node, ast.Assign) and not all(isinstance(each, ast.Name) for each in node.targets):
        return False
    value = getattr(node, "value", None)
    if isinstance(value, ast.Lambda):
        return True
    if isinstance(value, ast.Name):
        return value.id in known
    if not isinstance(value, ast.Call):
        return False
    if isinstance(value.func, ast.Call):
        return holds_callable(_assigning(definition, value.func), known)
    called = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
    if called in _MAKERS:
        return True
    if called in {"to", "cuda", "cpu", "eval", "train"} and isinstance(value.func, ast.Attribute):
        return holds_callable(_assigning(definition, value.func.value), known)
    made = known.get(called)
    return made is not None and (made.kind == "class" or _returns_function(made.node))


def _assigning(definition: Definition, value: ast.expr) -> Definition:
    """The same definition as if only a part of its value were assigned."""
    assignment = ast.Assign([ast.Name(definition.name, ast.Store())], value)
    return dataclasses.replace(definition, node=ast.copy_location(assignment, definition.node))


def _returns_function(node: ast.AST) -> bool:
    inner = {each.name for each in ast.walk(node) if isinstance(each, ast.FunctionDef | ast.ClassDef) and each is not node}
    values = [each.value for each in ast.walk(node) if isinstance(each, ast.Return)]
    return any(isinstance(each, ast.Lambda) or (isinstance(each, ast.Name) and each.id in inner) for each in values)


def _settled(named: list[Target], near: str) -> tuple[Target, list[str]]:
    """The last definition of the only file, of the network's file, or of files that agree."""
    here = [each for each in named if near.startswith(f"{each.definition.path} ")]
    elsewhere = sorted({each.definition.path for each in named} - {each.definition.path for each in here})
    if here:
        listed = ", ".join(elsewhere)
        return here[-1], [f"also defined in {listed}; the one beside the network was judged"] if elsewhere else []
    if len(elsewhere) > 1 and len({ast.dump(each.node) for each in named}) > 1:
        raise Ambiguous(named)
    return named[-1], []


def _targets(definition: Definition) -> Iterator[Target]:
    node = definition.node
    if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Lambda):
        yield Target((definition.name,), definition, node.value)
        return
    yield Target((definition.name,), definition, node)
    if isinstance(node, ast.ClassDef):
        for method in node.body:
            if isinstance(method, ast.FunctionDef) and (method.name in _CALLED or not method.name.startswith("__")):
                yield Target((definition.name, method.name), definition, method)


def _callable_part(target: Target, targets: list[Target]) -> Target:
    """A class named as the loss means its `forward` or `__call__`."""
    if not isinstance(target.node, ast.ClassDef):
        return target
    methods = {each.path[1]: each for each in targets if len(each.path) > 1 and each.path[0] == target.path[0]}
    return next((methods[name] for name in _CALLED if name in methods), target)


def likelihood(target: Target) -> int:
    """How much a definition looks like a KD loss; `LIKELY_AT_LEAST` is enough."""
    if isinstance(target.node, ast.ClassDef) or _is_training(target):
        return 0
    name = target.path[0] if target.path[-1] in _CALLED else target.path[-1]
    bound = [role for role in assign(target.parameters, TENSORS) if role in TENSORS]
    score = 3 * ("teacher" in bound) + 2 * ("student" in bound) + 2 * ("labels" in bound)
    if re.search(r"kd|distil", name, re.IGNORECASE):
        score += 5
    if re.search(r"loss|criterion|soft", name, re.IGNORECASE):
        score += 1
    words = _words(target.node)
    if words & _SOFTENING:
        score += 2
    elif isinstance(target.node, Function):
        score -= 3
    if isinstance(target.node, Function):
        return score if len(target.parameters) >= 2 else 0
    # An instance, a partial or a closure: nothing but the name tells.
    return LIKELY_AT_LEAST if score >= 5 and isinstance(getattr(target.node, "value", None), ast.Call) else 0


def _is_training(target: Target) -> bool:
    """Whether it is a training loop that happens to speak of students and teachers."""
    parameters = {word for name in target.parameters for word in tokens(name)}
    calls = {
        node.func.attr
        for node in ast.walk(target.node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    return bool(parameters & _TRAINING or calls & _TRAINING_CALLS)


def _words(node: ast.AST) -> set[str]:
    names = (each.id for each in ast.walk(node) if isinstance(each, ast.Name))
    attributes = (each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute))
    return {name.lower() for name in (*names, *attributes)}


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
            gathered += [each.func.value] if isinstance(each.func, ast.Attribute) and attribute in {"mean", "sum"} else []
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
    """Numbers that stand in the body of the function, or of a function it names; defaults are no part of the body."""
    helpers = [each for each in _helpers(target, target.node, sources) if isinstance(each, Function)]
    bodies = [body for node in [target.node, *helpers] for body in _body(node)]
    found = {
        float(each.value) for body in bodies for each in ast.walk(body)
        if isinstance(each, ast.Constant) and type(each.value) in (int, float) and abs(each.value) < 1e9
    }  # fmt: skip
    return sorted(found)[:most]


def _body(node: ast.AST) -> list[ast.AST]:
    body = getattr(node, "body", [])
    return list(body) if isinstance(body, list) else [body]


def _helpers(target: Target, node: ast.AST, sources: Sources) -> list[ast.stmt]:
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
