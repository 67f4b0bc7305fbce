"""Right KD losses pass in every spelling, wrong ones in the same spellings do not, and doubt is no accusation."""

import pytest
from harness_kd.worker.search import find
from kd_doubtful import DOUBTFUL
from kd_fakes import FakeSources, check
from kd_spellings import BODY as RIGHT_BODY
from kd_spellings import CE, KL, RIGHT, loss
from kd_wild import WILD

ALL = RIGHT | WILD
MUTATIONS = {
    "T for T²": {"T**2 *": "T *", "T * T *": "T *", "self.T ** 2": "self.T"},
    "0.9 of the hard term": {
        "F.cross_entropy(s, y)": "0.9 * F.cross_entropy(s, y)", "self.ce(": "0.9 * self.ce(",
        "F.cross_entropy(student_out, labels)": "0.9 * F.cross_entropy(student_out, labels)"},
    "mean over the classes": {"reduction='batchmean'": "reduction='mean'"},
    "no T for the teacher": {"F.softmax(t / T, dim=1)": "F.softmax(t, dim=1)"},
}  # fmt: skip


def test_there_are_150():
    assert len(RIGHT) >= 150
    assert len(set(RIGHT.values())) == len(RIGHT)


@pytest.mark.parametrize("name", ALL)
def test_right_ones_pass(name):
    found = check(ALL[name])
    assert found.verdict == "passed", (found.reason, found.hint)


@pytest.mark.parametrize("name", DOUBTFUL)
def test_what_may_be_right_is_not_accused(name):
    text, said = DOUBTFUL[name]
    found = check(text)
    assert found.verdict == "could_not_check", found.reason
    assert said in found.reason
    assert found.hint


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_wrong_ones_do_not_pass_for_being_read_in_many_ways(mutation):
    tried = 0
    for text in list(RIGHT.values())[::4]:
        wrong = text
        for old, new in MUTATIONS[mutation].items():
            wrong = wrong.replace(old, new)
        if wrong != text:
            tried += 1
            found = check(wrong)
            assert found.verdict == "failed", (found.reason, wrong)
    assert tried >= 30


CALLS = """
def train_student(teacher, student, loader, optimizer):
    return student, 0.9
if __name__ == "__main__":
    distill_model, kd_best = train_student(None, None, [], None)
    kd_loss = loss_fn_kd(out, labels, teacher_out)
    kd_criterion = nn.KLDivLoss(reduction="batchmean")
    distillation_loss = soft + hard
"""


def test_what_a_call_returned_is_no_loss():
    assert find(FakeSources(CALLS), ["loss_fn_kd"]) == []
    assert find(FakeSources(CALLS), ["kd_loss"]) == []
    found = check(CALLS)
    assert "no KD loss was found" in found.reason
    assert "distill_model" not in found.reason


def test_what_holds_a_function_is_one():
    text = loss("return 1").replace("loss_fn_kd", "base") + (
        "def make():\n    def inner(s, y, t): return 1\n    return inner\n"
        "class KD(nn.Module):\n    def forward(self, s, y, t): return 1\n"
        "a = base\nb = partial(base, T=2)\nc = make()\nd = KD()\ne = KD().to('cpu')\nf = torch.jit.script(base)\n"
        "g = lambda s, y, t: 1\nh = base(1, 2, 3)\n(i, j) = KD(), KD()\n"
    )
    held = [name for name in "abcdefghij" if find(FakeSources(text), [name])[0][0].path[0] == name]
    assert held == list("abcdefg")


def test_of_several_likely_functions_the_right_one_counts_and_only_the_likeliest_is_accused():
    right = loss(RIGHT_BODY).replace("loss_fn_kd", "kd_loss")
    wrong = loss(RIGHT_BODY.replace("T**2", "T")).replace("loss_fn_kd", "old_kd_loss")
    soft = "def distill_kl(s, t, T):\n    return T**2 * F.kl_div(F.log_softmax(s / T, 1), F.softmax(t / T, 1))\n"
    assert check(wrong + right).verdict == "passed"
    assert check(soft + right).verdict == "passed"
    assert check(soft + wrong).verdict == "failed"
    assert check(soft).verdict == "could_not_check"


def test_a_right_value_is_not_called_swapped():
    """With two weights of which no name says more, the reading with the right value is the one to speak of."""
    text = loss(f"return (beta * T**2 * {KL} + alpha * {CE}).detach()", "s, y, t, T, alpha, beta")
    found = check(text)
    assert found.verdict == "failed"
    assert "detached" in found.reason


def test_a_wrong_loss_of_several_teachers_is_told_its_mistake():
    """Not that it raises when it is given a single one."""
    text = loss(f"kl = sum({KL} for t in teachers) / len(teachers)\nreturn alpha * T * kl + (1 - alpha) * {CE}",
                "s, teachers, y, alpha, T")  # fmt: skip
    assert "the soft term is multiplied by T instead of T²" in check(text).reason
