"""A student whose `ask` runs the worker's KD code in this process, on source text."""

import ast
import linecache
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import torch
from harness_kd.check import KDLoss, KDLossOptions
from harness_kd.worker.answer import answer

from harness.api import Reply

torch.set_num_threads(1)

HEAD = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\nfrom functools import partial\n"


@dataclass
class Definition:
    name: str
    kind: str
    file: str
    line: int
    node: ast.AST
    path: str = "kd.py"


class FakeSources:
    """One file, executed whole."""

    def __init__(self, text, file="kd.py"):
        self.text, self.file = HEAD + text, file
        linecache.cache[file] = (len(self.text), None, self.text.splitlines(keepends=True), file)

    def names(self):
        found = []
        for node in ast.parse(self.text).body:
            if isinstance(node, ast.ClassDef):
                found.append(Definition(node.name, "class", self.file, node.lineno, node))
            elif isinstance(node, ast.FunctionDef):
                found.append(Definition(node.name, "function", self.file, node.lineno, node))
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                found.append(Definition(node.targets[0].id, "assignment", self.file, node.lineno, node))
        return found

    def load(self, name):
        module = {"__name__": "kd"}
        exec(compile(self.text, self.file, "exec"), module)
        return SimpleNamespace(object=module[name], name=name, file=self.file, line=1, notes=[])


class FakeStudent:
    facts = SimpleNamespace(source="model.py line 1")

    def __init__(self, text):
        self.sources = FakeSources(text)

    def ask(self, half, facts, tensors, *, doing, limit_seconds):
        return Reply(*half(self.sources, facts, tensors))


def context(classes=10, functions=("loss_fn_kd",), **options):
    examples = SimpleNamespace(classes=classes, labels=np.zeros(1, np.int64))
    return SimpleNamespace(
        options=KDLossOptions(**options), examples=examples, kd_functions=functions, limit_seconds=5.0
    )


def check(text, classes=10, functions=("loss_fn_kd",), **options):
    """The check for a source text, or None."""
    student = text if hasattr(text, "ask") else FakeStudent(text)
    checks = KDLoss().evaluate(student, context(classes, functions, **options)).checks
    return checks[0] if checks else None


def readings_of(text, tried, functions=("loss_fn_kd",)):
    """What the grader reads from the worker's reply to the given probes, and the found function."""
    from harness_kd.check import _tensors
    from harness_kd.reference import as_json_setting
    from harness_kd.reply import function, readings

    facts = {"functions": list(functions), "probes": [as_json_setting(probe) for probe in tried]}
    reply = FakeStudent(text).ask(answer, facts, _tensors(tried), doing="", limit_seconds=5.0)
    return readings(reply, tried), function(reply.facts)
