"""Find the KD loss among a submission's definitions, without running any of it."""

from __future__ import annotations

import ast
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
_SAME = {"to", "cuda", "cpu", "eval", "train", "double", "float"}
"""Methods of an instance that return it."""
LIKELY_AT_LEAST = 7
_MOST_CANDIDATES = 4


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
        if each.kind != "assignment" or holds_callable(each.node, known)
        for target in _targets(each)
    ]


def holds_callable(node: ast.AST, known: Mapping[str, Definition]) -> bool:
    """Whether an assignment holds a function or an instance, as far as its text tells; a call's result is a value."""
    if isinstance(node, ast.Assign) and not all(isinstance(each, ast.Name) for each in node.targets):
        return False
    return _gives_callable(getattr(node, "value", None), known)


def _gives_callable(value: ast.AST | None, known: Mapping[str, Definition]) -> bool:
    match value:
        case ast.Lambda():
            return True
        case ast.Name(id=name):
            return name in known
        case ast.Call(func=ast.Attribute(value=made, attr=attribute)) if attribute in _SAME:
            return _gives_callable(made, known)
        case ast.Call(func=ast.Call() as maker):
            return _gives_callable(maker, known)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            made_by = known.get(name)
            makes = made_by is not None and (made_by.kind == "class" or _returns_function(made_by.node))
            return name in _MAKERS or makes
    return False


def _returns_function(node: ast.AST) -> bool:
    inner = {
        each.name for each in ast.walk(node) if isinstance(each, ast.FunctionDef | ast.ClassDef) and each is not node
    }
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
    name = target.path[0] if target.path[-1] in _CALLED else target.name
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
