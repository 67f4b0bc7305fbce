"""A plugin's own function beside student code: imported from the plugin whatever a submission calls its files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import hand_ins
import pytest
import torch
from hand_ins import HONEST, hand_in, sandbox_called, small_assignment
from harness_kd.reference import as_json_setting, probes
from harness_kd.worker.answer import answer

from harness.errors import PluginError, SubmissionError
from harness.networks.student import SandboxedStudent
from harness.plugins import worker_half_name
from harness.worker.failures import describe

torch.set_num_threads(1)

POSE = "def answer(sources, facts, tensors):\n    return {'posed': True}, {}\n"
LOSS = "\nfrom harness_kd import WEIGHT\n\n\ndef loss_fn_kd(outputs, labels, teacher, alpha, T):\n    return WEIGHT\n"


@pytest.fixture(scope="module", params=["bwrap", "landlock", "none"])
def student(request, tmp_path_factory) -> Iterator[SandboxedStudent]:
    """A submission whose files are called as the KD plugin's are."""
    sandbox = sandbox_called(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    assignment = small_assignment(folder / "assignment")
    pretender = hand_in(folder / "pretender", HONEST + LOSS)
    for name in ("harness_kd/worker", "plugins/harness_kd/worker"):
        (pretender / name).mkdir(parents=True)
        (pretender / name / "answer.py").write_text(POSE)
    for name in ("harness_kd.py", "harness_kd/__init__.py", "sitecustomize.py", "pkgutil.py"):
        (pretender / name).write_text(POSE + "WEIGHT = 1\n")
    with hand_ins.opened(pretender, assignment, sandbox) as student:
        yield student


def test_the_installed_plugin_answers(student):
    probe = probes(4)[0]
    parts = {"student": probe.case.student, "labels": probe.case.labels, "teacher": probe.case.teacher}
    tensors = {f"{probe.inputs}.{name}": torch.from_numpy(each.copy()) for name, each in parts.items()}
    facts = {"functions": ["nothing"], "probes": [as_json_setting(probe)]}
    reply = student.ask(answer, facts, tensors, doing="asking", limit_seconds=40)
    assert "posed" not in reply.facts
    assert reply.facts["function"]["file"] == "model.py"
    # Their own imports mean their own files, though one of them is called like an installed package.
    assert "unusable" not in reply.facts


def test_the_worker_says_what_failed_in_the_words_of_the_plugin(student):
    with pytest.raises(SubmissionError, match="KeyError: 'functions'"):
        student.ask(answer, {}, {}, doing="asking", limit_seconds=40)


def _not_installed() -> Callable[..., object]:
    def inner(*_: object) -> object:
        return None

    inner.__module__ = answer.__module__
    return inner


@pytest.mark.parametrize("half", [json.dumps, Path, lambda *_: ({}, {}), _not_installed()])
def test_only_a_function_that_workers_can_import_is_sent(half):
    with pytest.raises(PluginError, match=r"no installed plugin|at its top level"):
        worker_half_name(half)


def test_it_goes_by_module_and_name():
    assert worker_half_name(answer) == "harness_kd.worker.answer:answer"


def test_a_plugins_line_is_never_shown_as_a_students(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    with pytest.raises(KeyError) as raised:
        answer(None, {}, {})
    assert "answer.py" not in describe(raised.value)
