"""KD losses under other names, argument orders and shapes of code are found, bound and judged alike."""

import json

import pytest
from kd_fakes import HEAD, FakeStudent, check
from kd_torch import CE, KL, RIGHT, function

from harness.worker.sources.definitions import Sources

FORMS = {
    "positional-only and keyword-only": """
def loss_fn_kd(s, y, t, /, *, alpha, T):
    return alpha*T*T*F.kl_div(F.log_softmax(s/T,1),F.softmax(t/T,1),reduction='batchmean')+(1-alpha)*F.cross_entropy(s,y)
""",
    "globals": """
ALPHA=0.5
T=4
def kd_loss(student_logits, labels, teacher_logits):
    return ALPHA*T*T*F.kl_div(F.log_softmax(student_logits/T,1),F.softmax(teacher_logits/T,1),reduction='batchmean')+(1-ALPHA)*F.cross_entropy(student_logits,labels)
""",
    "globals used by a helper": """
ALPHA=0.5
TEMP=4
def soft(s,t):
    return TEMP**2*F.kl_div(F.log_softmax(s/TEMP,1),F.softmax(t/TEMP,1),reduction='batchmean')
def kd_loss(teacher_out, student_out, gt):
    return ALPHA*soft(student_out,teacher_out)+(1-ALPHA)*F.cross_entropy(student_out,gt)
""",
    "a params object": """
def loss_fn_kd(outputs, labels, teacher_outputs, params):
    alpha = params.alpha
    T = params.temperature
    return nn.KLDivLoss(reduction='batchmean')(F.log_softmax(outputs/T, dim=1), F.softmax(teacher_outputs/T, dim=1)) * (alpha * T * T) + F.cross_entropy(outputs, labels) * (1. - alpha)
""",
    "a cfg dictionary": """
def loss_fn_kd(outputs, labels, teacher_outputs, cfg):
    alpha = cfg['alpha']
    T = cfg.get('T', 3)
    return nn.KLDivLoss(reduction='batchmean')(F.log_softmax(outputs/T, dim=1), F.softmax(teacher_outputs/T, dim=1)) * (alpha * T * T) + F.cross_entropy(outputs, labels) * (1. - alpha)
""",
    "class with constructor arguments": """
class KDLoss(nn.Module):
    def __init__(self, T=4., alpha=.5):
        super().__init__()
        self.T=T
        self.alpha=alpha
        self.kl=nn.KLDivLoss(reduction='batchmean')
        self.ce=nn.CrossEntropyLoss()
    def forward(self, student, teacher, target):
        return self.alpha*self.T**2*self.kl(F.log_softmax(student/self.T,1),F.softmax(teacher/self.T,1))+(1-self.alpha)*self.ce(student,target)
""",
    "class with attributes": """
class DistillationLoss:
    def __init__(self):
        self.temperature=4
        self.alpha=.5
    def __call__(self, y_s, y_t, y):
        T=self.temperature
        p=F.softmax(y_t/T,1)
        return (p*(p.log()-F.log_softmax(y_s/T,1))).sum(1).mean()*T*T*self.alpha+(1-self.alpha)*F.nll_loss(F.log_softmax(y_s,1),y)
""",
    "method of a class that needs models": """
class Trainer:
    def __init__(self, student, teacher, loader):
        self.n=len(loader)
        self.alpha=.5
        self.temp=4
    def kd_loss(self, out, teacher_out, labels):
        T=self.temp
        return self.alpha*T*T*F.kl_div(F.log_softmax(out/T,1),F.log_softmax(teacher_out/T,1),log_target=True,reduction='batchmean')+(1-self.alpha)*F.cross_entropy(out,labels)
""",
    "a lambda": """
kd_loss = lambda s, y, t, a, T: a*T*T*F.kl_div(F.log_softmax(s/T,1),F.softmax(t/T,1),reduction='batchmean')+(1-a)*F.cross_entropy(s,y)
""",
    "functools.partial": """
def base(s, y, t, alpha, T):
    return alpha*T*T*F.kl_div(F.log_softmax(s/T,1),F.softmax(t/T,1),reduction='batchmean')+(1-alpha)*F.cross_entropy(s,y)
loss_fn_kd = partial(base, alpha=.5, T=2)
""",
    "letters only, teacher second": """
def loss_fn_kd(a, b, c, d, e):
    return d*e*e*F.kl_div(F.log_softmax(a/e,1),F.softmax(b/e,1),reduction='batchmean')+(1-d)*F.cross_entropy(a,c)
""",
    "x, y, z with y the teacher": """
def loss_fn_kd(x, y, z, alpha=.5, temp=3):
    return alpha*temp**2*F.kl_div(F.log_softmax(x/temp,1),F.softmax(y/temp,1),reduction='batchmean')+(1-alpha)*F.cross_entropy(x,z)
""",
    "y is the student": """
def distillation(y, labels, teacher_scores, temp, alpha):
    return nn.KLDivLoss(reduction='batchmean')(F.log_softmax(y / temp, dim=1), F.softmax(teacher_scores / temp, dim=1)) * (temp * temp * alpha) + F.cross_entropy(y, labels) * (1. - alpha)
""",
    "two weights": """
def kd(student_logits, teacher_logits, labels, T, soft_target_loss_weight, ce_loss_weight):
    p=F.softmax(teacher_logits/T,-1); q=F.log_softmax(student_logits/T,-1)
    soft=torch.sum(p*(p.log()-q))/q.size(0)*T**2
    return soft_target_loss_weight*soft+ce_loss_weight*F.cross_entropy(student_logits,labels)
""",
    "star arguments": """
def loss_fn_kd(*args):
    s, y, t, alpha, T = args
    return alpha*T*T*F.kl_div(F.log_softmax(s/T,1),F.softmax(t/T,1),reduction='batchmean')+(1-alpha)*F.cross_entropy(s,y)
""",
    "a closure": """
def make(alpha, T):
    def f(s, y, t):
        return alpha*T*T*F.kl_div(F.log_softmax(s/T,1),F.softmax(t/T,1),reduction='batchmean')+(1-alpha)*F.cross_entropy(s,y)
    return f
kd_loss = make(.5, 4)
""",
    "a global class of settings": """
class CFG:
    alpha=.5
    T=3
def kd_loss(s, y, t):
    return CFG.alpha*CFG.T**2*F.kl_div(F.log_softmax(s/CFG.T,1),F.softmax(t/CFG.T,1),reduction='batchmean')+(1-CFG.alpha)*F.cross_entropy(s,y)
""",
    "a global dictionary of settings": """
config = {'alpha':.5,'T':3}
def kd_loss(s, y, t):
    T=config['T']
    return config['alpha']*T**2*F.kl_div(F.log_softmax(s/T,1),F.softmax(t/T,1),reduction='batchmean')+(1-config['alpha'])*F.cross_entropy(s,y)
""",
    "a criterion is asked for": """
def kd_loss(outputs, labels, teacher_outputs, criterion, alpha, T):
    return alpha*T*T*F.kl_div(F.log_softmax(outputs/T,1),F.softmax(teacher_outputs/T,1),reduction='batchmean')+(1-alpha)*criterion(outputs,labels)
""",
    "a tuple is returned": """
def kd_loss(outputs, labels, teacher_outputs, alpha=.5, T=4):
    kl=T*T*F.kl_div(F.log_softmax(outputs/T,1),F.softmax(teacher_outputs/T,1),reduction='batchmean')
    ce=F.cross_entropy(outputs,labels)
    return alpha*kl+(1-alpha)*ce, kl, ce
""",
    "decorator that hides the signature": """
def deco(f):
    def g(*a, **k):
        return f(*a, **k)
    return g
@deco
def kd_loss(teacher_outputs, outputs, labels, *, alpha, T):
    return alpha*T*T*F.kl_div(F.log_softmax(outputs/T,1),F.softmax(teacher_outputs/T,1),reduction='batchmean')+(1-alpha)*F.cross_entropy(outputs,labels)
""",
    "an instance": """
class KD(nn.Module):
    def __init__(self, t, a):
        super().__init__(); self.T=t; self.alpha=a
    def forward(self, outputs, labels, teacher_outputs):
        T=self.T; alpha=self.alpha
        return alpha*T*T*F.kl_div(F.log_softmax(outputs/T,1),F.softmax(teacher_outputs/T,1),reduction='batchmean')+(1-alpha)*F.cross_entropy(outputs,labels)
criterion_kd = KD(4, .5)
""",
    "by hand": """
def kd_loss(outputs, labels, teacher_outputs, alpha=.5, T=4):
    p=F.softmax(teacher_outputs/T,1); q=F.softmax(outputs/T,1)
    return alpha*T*T*(p*torch.log(p/q)).sum(1).mean()+(1-alpha)*F.cross_entropy(outputs,labels)
""",
    "an extra optional argument": """
def kd_loss(preds, targets, teacher_preds, lambda_=0.5, tau=4.0, reduction='batchmean'):
    return lambda_*tau*tau*F.kl_div(F.log_softmax(preds/tau,1),F.softmax(teacher_preds/tau,1),reduction=reduction)+(1-lambda_)*F.cross_entropy(preds,targets)
""",
    "a class used inside": """
class DistillKL(nn.Module):
    def __init__(self, T):
        super().__init__(); self.T=T
    def forward(self, y_s, y_t):
        return F.kl_div(F.log_softmax(y_s/self.T,1),F.softmax(y_t/self.T,1),reduction='sum')*self.T**2/y_s.shape[0]
def loss_fn_kd(outputs, labels, teacher_outputs, alpha=.5, T=4):
    return alpha*DistillKL(T)(outputs,teacher_outputs)+(1-alpha)*nn.CrossEntropyLoss()(outputs,labels)
""",
    "a global loss object": """
class DistillKL(nn.Module):
    def __init__(self, T):
        super().__init__(); self.T=T
    def forward(self, y_s, y_t):
        return F.kl_div(F.log_softmax(y_s/self.T,1),F.softmax(y_t/self.T,1),reduction='sum')*self.T**2/y_s.shape[0]
kd = DistillKL(4)
alpha=.9
def loss_fn_kd(outputs, labels, teacher_outputs):
    return alpha*kd(outputs,teacher_outputs)+(1-alpha)*nn.CrossEntropyLoss()(outputs,labels)
""",
    "keyword dictionary": """
def loss_fn_kd(outputs, labels, teacher_outputs, **kw):
    alpha, T = kw['alpha'], kw['T']
    return alpha*T*T*F.kl_div(F.log_softmax(outputs/T,1),F.softmax(teacher_outputs/T,1),reduction='batchmean')+(1-alpha)*F.cross_entropy(outputs,labels)
""",
    "torch.jit.script": """
@torch.jit.script
def loss_fn_kd(outputs, labels, teacher_outputs, alpha: float, T: float):
    return alpha*T*T*F.kl_div(F.log_softmax(outputs/T,1),F.softmax(teacher_outputs/T,1),reduction='batchmean')+(1-alpha)*F.cross_entropy(outputs,labels)
""",
    "casts to float32": """
def loss_fn_kd(outputs, labels, teacher_outputs, alpha, T):
    outputs=outputs.float(); teacher_outputs=teacher_outputs.float()
    return alpha*T*T*F.kl_div(F.log_softmax(outputs/T,1),F.softmax(teacher_outputs/T,1),reduction='batchmean')+(1-alpha)*F.cross_entropy(outputs,labels)
""",
    "only float32 works": """
def loss_fn_kd(outputs, labels, teacher_outputs, alpha, T):
    eye=torch.eye(outputs.shape[1])
    ce=-(F.log_softmax(outputs,1)@eye)[torch.arange(len(labels)),labels].mean()
    return alpha*T*T*F.kl_div(F.log_softmax(outputs/T,1),F.softmax(teacher_outputs/T,1),reduction='batchmean')+(1-alpha)*ce
""",
}


@pytest.mark.parametrize("name", FORMS)
def test_right_functions_are_found_and_bound(name):
    found = check(FORMS[name], functions=("loss_fn_kd",))
    assert found.verdict == "passed", (found.reason, found.hint)


@pytest.mark.parametrize("name", FORMS)
def test_wrong_ones_are_refused_just_so(name):
    wrong = FORMS[name].replace("F.cross_entropy(", "0.9 * F.cross_entropy(").replace("self.ce(", "0.9 * self.ce(")
    wrong = wrong.replace("F.nll_loss(", "0.9 * F.nll_loss(").replace(
        "nn.CrossEntropyLoss()(", "0.9 * nn.CrossEntropyLoss()("
    )
    wrong = wrong.replace("criterion(outputs", "0.9 * criterion(outputs").replace(
        "(1-alpha)*ce\n", "(1-alpha)*ce*0.9\n"
    )
    assert wrong != FORMS[name]
    assert check(wrong, functions=("loss_fn_kd",)).verdict == "failed"


def test_reported_ways_in():
    assert "α through global ALPHA, T through global T" in check(FORMS["globals"], functions=()).reason
    assert "constructor argument alpha" in check(FORMS["class with constructor arguments"], functions=()).reason
    assert "attribute self.temperature" in check(FORMS["class with attributes"], functions=()).reason
    assert "CFG.alpha" in check(FORMS["a global class of settings"], functions=()).reason
    assert "by position" in check(FORMS["letters only, teacher second"]).reason


def test_another_name_is_said():
    found = check(RIGHT["kl_div"].replace("loss_fn_kd", "my_distillation"))
    assert found.verdict == "passed"
    assert "there is no `loss_fn_kd`; `my_distillation` looks like the KD loss" in found.reason


def test_the_named_function_wins():
    text = RIGHT["kl_div"].replace("loss_fn_kd", "kd_loss") + RIGHT["kl_div"].replace("T**2", "T")
    assert check(text).verdict == "failed"
    assert check(text, functions=("kd_loss",)).verdict == "passed"


def test_training_loops_are_not_taken_for_the_loss():
    text = """
def train_kd(student, teacher, loader, optimizer, labels=None):
    for x, y in loader:
        F.softmax(student(x), 1).sum().backward()
        optimizer.step()
"""
    found = check(text)
    assert "no KD loss was found" in found.reason
    assert check(text + RIGHT["kl_div"].replace("loss_fn_kd", "criterion_soft")).verdict == "passed"


def test_literal_numbers_are_hard_coded():
    text = f"def loss_fn_kd(outputs, labels, teacher_outputs):\n    T = 4\n    return 0.5 * T**2 * {KL} + 0.5 * {CE}\n"
    found = check(text)
    assert found.verdict == "failed"
    assert "α is hard-coded as 0.5, and T is hard-coded as 4" in found.reason
    assert "α not settable, T not settable" in found.reason


def test_defaults_and_globals_are_no_hard_coding():
    assert check(function(f"return alpha * T**2 * {KL} + (1 - alpha) * {CE}")).verdict == "passed"


def test_cuda_calls_stay_on_the_cpu():
    text = function(
        "outputs, labels = outputs.cuda(), labels.to('cuda:0'); "
        "device = torch.device('cuda'); teacher_outputs = teacher_outputs.to(device=device); "
        "zero = torch.zeros(1, device='cuda').sum(); ce = nn.CrossEntropyLoss().cuda(); "
        f"return zero + alpha * T**2 * {KL} + (1 - alpha) * ce(outputs, labels)"
    )
    assert check(text).verdict == "passed"


def test_named_parameters_are_not_tried_in_other_orders():
    """Only where names leave doubt does the order of tensors stay open."""
    text = RIGHT["kl_div"].replace("(outputs, labels, teacher_outputs,", "(teacher_outputs, labels, outputs,")
    assert check(text).verdict == "passed"
    swapped = text.replace("outputs, labels)", "teacher_outputs, labels)")
    assert check(swapped).verdict == "failed"


def test_real_sources_notebooks_and_two_files_of_one_name(tmp_path):
    """Through the worker's own reader: training code around it, a notebook, and a name that two files define."""
    (tmp_path / "a.py").write_text(HEAD + RIGHT["kl_div"] + "\nfor batch in loader: train(batch)\n")
    (tmp_path / "b.py").write_text(HEAD + RIGHT["kl_div"].replace("T**2", "T"))
    cells = ["!pip install torch\n" + HEAD, FORMS["a lambda"]]
    notebook = {"cells": [{"cell_type": "code", "source": cell, "metadata": {}, "outputs": []} for cell in cells],
                "metadata": {}, "nbformat": 4, "nbformat_minor": 5}  # fmt: skip
    (tmp_path / "hw.ipynb").write_text(json.dumps(notebook))
    for files, names, verdict in (
        (["a.py"], ("loss_fn_kd",), "passed"),
        (["b.py"], ("loss_fn_kd",), "failed"),
        (["a.py", "b.py"], ("a.py:loss_fn_kd",), "passed"),
        (["a.py", "b.py"], ("b.py:loss_fn_kd",), "failed"),
        (["hw.ipynb"], ("loss_fn_kd",), "passed"),
    ):
        student = FakeStudent("")
        student.sources = Sources(tmp_path, files)
        found = check(student, functions=names)
        assert found.verdict == verdict, (files, names, found.reason)
