"""The worker's answer to `kd`: raw values and facts, nothing judged."""

import ast
import json
import linecache
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from harness_kd.worker import answer as kd
from harness_kd.worker.names import TENSORS, affinity, assign, tokens

torch.set_num_threads(1)


@dataclass
class Definition:
    name: str
    kind: str
    file: str
    line: int
    node: ast.AST
    path: str = "kd.py"


class Sources:
    """One function in one file."""

    def __init__(self, text):
        self.text = "import torch\nimport torch.nn.functional as F\n" + text
        linecache.cache["student_kd.py"] = (1, None, self.text.splitlines(keepends=True), "student_kd.py")

    def names(self):
        return [
            Definition(node.name, "function", "student_kd.py", node.lineno, node)
            for node in ast.parse(self.text).body
            if isinstance(node, ast.FunctionDef)
        ]

    def load(self, name):
        module = {"__name__": "student_kd"}
        exec(compile(self.text, "student_kd.py", "exec"), module)
        return SimpleNamespace(object=module[name], name=name, file="student_kd.py", line=3, notes=[])


def ask(body, dtype="float32", name="loss_fn_kd", parameters="outputs, labels, teacher_outputs, alpha, T"):
    torch.manual_seed(0)
    tensors = {
        "s": torch.randn(3, 5, dtype=torch.float64),
        "y": torch.tensor([0, 4, 2]),
        "t": torch.randn(3, 5, dtype=torch.float64),
    }
    probe = {"name": "one", "alpha": 0.25, "temperature": 2.0, "dtype": dtype, "student": "s", "labels": "y",
             "teacher": "t"}  # fmt: skip
    text = f"def {name}({parameters}):\n    {body}\n"
    before = {key: tensor.clone() for key, tensor in tensors.items()}
    facts, found = kd.answer(Sources(text), {"functions": ["loss_fn_kd"], "probes": [probe]}, tensors)
    assert all(torch.equal(before[key], tensors[key]) for key in before), "the grader's tensors stay as they were"
    json.dumps(facts)
    return facts, found


def outcome(facts):
    return facts["attempts"][0]["outcomes"]["one"]


def test_value_and_gradient_are_raw_float64():
    facts, found = ask("return alpha * T * (outputs * teacher_outputs).sum()")
    assert outcome(facts)["kind"] == "value"
    assert found["0/one/value"].dtype == found["0/one/gradient"].dtype == torch.float64
    assert found["0/one/value"].shape == ()
    assert found["0/one/gradient"].shape == (3, 5)
    torch.manual_seed(0)
    student, teacher = torch.randn(3, 5, dtype=torch.float64), torch.randn(3, 5, dtype=torch.float64)
    assert found["0/one/value"].item() == pytest.approx(0.5 * (student * teacher).sum().item(), rel=1e-5)
    torch.testing.assert_close(found["0/one/gradient"], 0.5 * teacher, rtol=1e-5, atol=1e-6)


def test_description():
    facts, _ = ask("return alpha * T * outputs.sum()")
    assert facts["function"]["name"] == "loss_fn_kd"
    assert facts["function"]["file"] == "student_kd.py"
    assert facts["function"]["line"] == 3
    assert facts["function"]["code"] == [[4, "return alpha * T * outputs.sum()"]]
    attempt = facts["attempts"][0]
    assert attempt["roles"]["teacher"] == "teacher_outputs"
    assert attempt["where"] == {"alpha": "parameter alpha", "temperature": "parameter T"}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("pass", "none"),
        ("return 1.5", "not_a_tensor"),
        ("return 'loss'", "not_a_tensor"),
        ("return outputs", "not_scalar"),
        ("return torch.tensor([])", "not_scalar"),
        ("return outputs.sum() * 1j", "not_scalar"),
        ("return outputs.sum(), 1", "value"),
        ("return {'ce': outputs.max(), 'loss': outputs.sum()}", "value"),
        ("return outputs.sum().reshape(1)", "value"),
        ("raise ValueError('no')", "raised"),
        ("exit()", "raised"),
        ("return outputs.sum() * float('nan')", "value"),
    ],
)
def test_kinds(body, kind):
    assert outcome(ask(body)[0])["kind"] == kind


def test_the_students_line_is_told():
    error = outcome(ask("raise ValueError('no')")[0])["error"]
    assert error == "ValueError: no at student_kd.py line 4: `raise ValueError('no')`"


def test_mutation_state_and_teacher_gradient_are_told():
    assert outcome(ask("outputs *= 2; return outputs.sum()")[0])["mutated"] == ["student"]
    assert outcome(ask("labels.resize_(0); return outputs.sum()")[0])["mutated"] == ["labels"]
    assert outcome(ask("return F.dropout(outputs).sum()")[0])["repeat_differs"]
    facts, _ = ask("return (outputs * teacher_outputs).sum()")
    assert facts["attempts"][0]["teacher_gradient"]
    facts, _ = ask("return (outputs * teacher_outputs.detach()).sum()")
    assert not facts["attempts"][0]["teacher_gradient"]


def test_gradients_are_on_whatever_the_file_did():
    facts, _ = ask("return outputs.sum()")
    with torch.no_grad():
        assert outcome(ask("return outputs.sum()")[0])["gradient"] == "given"
    assert outcome(facts)["gradient"] == "given"
    assert outcome(ask("return outputs.detach().sum()")[0])["gradient"] == "detached"


def test_float64_falls_back_to_float32():
    body = "return (outputs @ torch.ones(5)).sum()"
    assert outcome(ask(body, "float64")[0])["kind"] == "value"


def test_hostile_objects_stay_harmless():
    body = (
        "class Odd(Exception):\n"
        "        def __str__(self): raise self\n"
        "        def __repr__(self): raise self\n"
        "    raise Odd()"
    )
    assert outcome(ask(body)[0])["kind"] == "raised"
    body = (
        "class Sub(torch.Tensor):\n"
        "        def detach(self): raise KeyError('x')\n"
        "        def numel(self): raise KeyError('x')\n"
        "    return outputs.sum().as_subclass(Sub)"
    )
    assert outcome(ask(body)[0])["kind"] in ("raised", "value")


def test_nothing_found_lists_what_is_there():
    facts, found = ask("return 1", name="helper", parameters="x")
    assert facts == {"missing": {"looked_for": ["loss_fn_kd"], "defined": ["function helper"]}}
    assert found == {}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("student_logits labels teacher_logits alpha T", "student labels teacher"),
        ("outputs targets teacher_outputs", "student labels teacher"),
        ("y_s y_t y", "student teacher labels"),
        ("logits soft_targets hard_targets", "student teacher labels"),
        ("pred gt t", "student labels teacher"),
        ("output_student target output_teacher", "student labels teacher"),
        ("studentLogits y_true teacherLogits", "student labels teacher"),
        ("inputs soft_labels labels", "student teacher labels"),
        ("s_logits t_logits label", "student teacher labels"),
    ],
)
def test_names_mean_what_students_mean(names, expected):
    assigned = assign(names.split(), TENSORS)
    assert [assigned[role] for role in expected.split()] == names.split()[:3]


@pytest.mark.parametrize("name", ["T", "temperature", "temp", "tau", "TEMP", "kd_T", "T_kd", "τ", "KD_TEMPERATURE"])
def test_temperatures(name):
    assert set(affinity(name)) == {"temperature"}


@pytest.mark.parametrize("name", ["alpha", "ALPHA", "lambda_", "lam", "α", "kd_weight", "soft_weight", "alpha_ce"])
def test_weights(name):
    assert set(affinity(name)) == {"alpha"}


def test_a_weight_of_the_hard_term_is_one_minus_alpha():
    assert set(affinity("ce_weight")) == {"hard_weight"}
    assert tokens("ceLossWeight_2") == ["ce", "loss", "weight", "2"]
