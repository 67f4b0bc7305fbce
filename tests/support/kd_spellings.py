"""Right KD losses in the spellings found in the wild, piece by piece: each entry of `RIGHT` has to pass."""

from kd_places import CLASSES, KEPT, KEPT_TWO

HEAD = """
import argparse, math
from collections import namedtuple
from dataclasses import dataclass, field
from types import SimpleNamespace
"""


def loss(body, parameters="s, y, t, alpha=0.5, T=4.0", before=""):
    lines = "\n".join(f"    {line}" for line in body.strip("\n").splitlines())
    return f"{before}\ndef loss_fn_kd({parameters}):\n{lines}\n"


KL = "F.kl_div(F.log_softmax(s / T, dim=1), F.softmax(t / T, dim=1), reduction='batchmean')"
CE = "F.cross_entropy(s, y)"

# One soft term each, the mean over the batch, without T² and α.
SOFT = {
    "kl_div": KL,
    "kl_div with log_target": "F.kl_div(F.log_softmax(s / T, 1), F.log_softmax(t / T, 1), log_target=True, "
                              "reduction='batchmean')",
    "kl_div summed by hand": "F.kl_div(F.log_softmax(s / T, -1), F.softmax(t / T, -1), reduction='sum') / s.shape[0]",
    "kl_div of none": "F.kl_div(F.log_softmax(s / T, 1), F.softmax(t / T, 1), reduction='none').sum(1).mean()",
    "kl_div mean times classes": "F.kl_div(F.log_softmax(s / T, 1), F.softmax(t / T, 1), reduction='mean') * s.size(1)",
    "KLDivLoss": "nn.KLDivLoss(reduction='batchmean')(F.log_softmax(s / T, dim=1), F.softmax(t / T, dim=1))",
    "KLDivLoss log target": "nn.KLDivLoss(reduction='batchmean', log_target=True)(torch.log_softmax(s / T, 1), "
                            "torch.log_softmax(t / T, 1))",
    "softmax modules": "nn.KLDivLoss(reduction='sum')(nn.LogSoftmax(dim=1)(s / T), nn.Softmax(dim=1)(t / T)) / len(s)",
    "by hand": "(F.softmax(t / T, 1) * (F.softmax(t / T, 1).log() - F.log_softmax(s / T, 1))).sum(dim=1).mean()",
    "by hand, log of a ratio": "(F.softmax(t / T, 1) * torch.log(F.softmax(t / T, 1) / F.softmax(s / T, 1))).sum(1)"
                               ".mean()",
    "minus the log of the ratio": "-(F.softmax(t / T, 1) * (F.softmax(s / T, 1) / F.softmax(t / T, 1)).log()).sum()"
                                  " / s.size(0)",
    "einsum": "torch.einsum('nc,nc->', F.softmax(t / T, 1), F.log_softmax(t / T, 1) - F.log_softmax(s / T, 1)) / len(s)",
    "cross-entropy less entropy": "F.cross_entropy(s / T, F.softmax(t / T, 1)) + (F.softmax(t / T, 1) * F.log_softmax("
                                  "t / T, 1)).sum(1).mean()",
    "CrossEntropyLoss twice": "nn.CrossEntropyLoss()(s / T, F.softmax(t / T, 1)) - nn.CrossEntropyLoss()(t / T, "
                              "F.softmax(t / T, 1))",
    "torch.special": "(torch.special.xlogy(torch.softmax(t / T, 1), torch.softmax(t / T, 1)) - torch.softmax(t / T, 1) *"
                     " torch.special.log_softmax(s / T, 1)).sum(1).mean()",
    "distributions": "torch.distributions.kl_divergence(torch.distributions.Categorical(logits=t / T), "
                     "torch.distributions.Categorical(logits=s / T)).mean()",
    "tensor methods": "((t / T).softmax(1) * ((t / T).log_softmax(1) - (s / T).log_softmax(1))).sum(-1).mean(0)",
    "logsumexp": "((t / T).softmax(1) * ((t - s) / T)).sum(1).mean() - ((t / T).logsumexp(1) - (s / T).logsumexp(1))"
                 ".mean()",
    "exponentials": "((t / T).exp() / (t / T).exp().sum(1, keepdim=True) * (F.log_softmax(t / T, 1) - "
                    "F.log_softmax(s / T, 1))).sum() / t.size(0)",
    "row by row": "sum(F.kl_div(F.log_softmax(a / T, 0), F.softmax(b / T, 0), reduction='sum') for a, b in zip(s, t)) "
                  "/ len(s)",
    "matrix product": "torch.diagonal(F.softmax(t / T, 1) @ (F.log_softmax(t / T, 1) - F.log_softmax(s / T, 1)).T)"
                      ".mean()",
    "div and mul methods": "F.kl_div(s.div(T).log_softmax(dim=1), t.div(T).softmax(dim=1), reduction='batchmean')",
    "detached teacher": "F.kl_div(F.log_softmax(s / T, 1), F.softmax(t.detach() / T, 1), reduction='batchmean')",
    "size_average": "torch.nn.functional.kl_div(F.log_softmax(s / T, 1), F.softmax(t / T, 1), reduction='none')"
                    ".mean(dim=1).mul(s.size(1)).mean()",
    "topk of all classes": "F.kl_div(F.log_softmax(s.gather(1, t.topk(t.size(1)).indices) / T, 1), "
                           "F.softmax(t.topk(t.size(1)).values / T, 1), reduction='batchmean')",
    "multiplied by the inverse": "F.kl_div(F.log_softmax(s * (1 / T), 1), F.softmax(t * (1 / T), 1), "
                                 "reduction='batchmean')",
    "nansum": "torch.nansum(F.softmax(t / T, 1) * (F.log_softmax(t / T, 1) - F.log_softmax(s / T, 1))) / s.shape[0]",
    "vdot": "torch.vdot(F.softmax(t / T, 1).flatten(), (F.log_softmax(t / T, 1) - F.log_softmax(s / T, 1)).flatten())"
            " / len(t)",
}  # fmt: skip
HARD = {
    "CrossEntropyLoss": "nn.CrossEntropyLoss()(s, y)",
    "nll of log_softmax": "F.nll_loss(F.log_softmax(s, dim=1), y)",
    "NLLLoss module": "nn.NLLLoss()(nn.LogSoftmax(1)(s), y.long())",
    "gathered": "-F.log_softmax(s, 1).gather(1, y.unsqueeze(1)).squeeze(1).mean()",
    "indexed": "-F.log_softmax(s, 1)[range(len(y)), y].mean()",
    "one-hot": "-(F.one_hot(y, s.size(1)) * F.log_softmax(s, 1)).sum(1).mean()",
    "one-hot targets": "F.cross_entropy(s, F.one_hot(y, s.size(1)).to(s.dtype))",
    "summed": "F.cross_entropy(s, y, reduction='sum') / s.size(0)",
    "logsumexp": "(s.logsumexp(1) - s[torch.arange(len(y)), y]).mean()",
    "Categorical": "-torch.distributions.Categorical(logits=s).log_prob(y).mean()",
    "scatter": "-(torch.zeros_like(s).scatter_(1, y.view(-1, 1), 1.0) * s.log_softmax(-1)).sum() / y.numel()",
    "label smoothing of none": "F.cross_entropy(s, y, label_smoothing=0.0)",
}
TOTAL = {
    "hard first": "return (1 - alpha) * hard + alpha * T * T * soft",
    "interpolated": "return hard + alpha * (T**2 * soft - hard)",
    "torch.lerp": "return torch.lerp(hard, soft * T**2, alpha)",
    "pow": "return alpha * pow(T, 2) * soft + (1. - alpha) * hard",
    "math.pow": "return alpha * math.pow(T, 2.0) * soft + (1.0 - alpha) * hard",
    "added in place": "total = (1 - alpha) * hard\ntotal = total + soft * alpha * (T ** 2)\nreturn total",
    "sum of a list": "return sum([alpha * T * T * soft, (1 - alpha) * hard])",
    "torch.stack": "return torch.stack([alpha * T * T * soft, (1 - alpha) * hard]).sum()",
    "if alpha": "if alpha == 0:\n    return hard\nreturn alpha * T * T * soft + (1 - alpha) * hard",
    "torch.add": "return torch.add((1 - alpha) * hard, soft, alpha=alpha * T * T)",
}  # fmt: skip
BODY = f"return alpha * T**2 * {KL} + (1 - alpha) * {CE}"


def read(student, labels, teacher, alpha="alpha", heat="T", body=BODY):
    """The usual body over other names."""
    return f"s, y, t, alpha, T = {student}, {labels}, {teacher}, {alpha}, {heat}\n{body}"


# parameters -> what student, labels, teacher, α and T are called among them.
SIGNATURES = {
    "student_logits, teacher_logits, labels, temperature, alpha": "student_logits labels teacher_logits alpha temperature",
    "outputs, labels, teacher_outputs, T, alpha": "outputs labels teacher_outputs alpha T",
    "y_s, y_t, target, tau=4., alpha=.5": "y_s target y_t alpha tau",
    "logits_student, logits_teacher, gt, temper, ratio": "logits_student gt logits_teacher ratio temper",
    "pred, teacher_pred, true, Temp, lambda_": "pred true teacher_pred lambda_ Temp",
    "teacher_scores, scores, targets, kd_T, kd_alpha": "scores targets teacher_scores kd_alpha kd_T",
    "out_s, out_t, target, temperature=3, lam=.9": "out_s target out_t lam temperature",
    "studentOutput, teacherOutput, trueLabels, alphaKD, tempKD": "studentOutput trueLabels teacherOutput alphaKD tempKD",
    "logits, soft_targets, hard_targets, T, soft_weight": "logits hard_targets soft_targets soft_weight T",
    "stu_out, tea_out, lbl, softening_temperature, balance": "stu_out lbl tea_out balance softening_temperature",
    "preds_S, preds_T, label, tau, α": "preds_S label preds_T α tau",
    "s_logits, t_logits, ground_truth, T_kd, lambda_kd": "s_logits ground_truth t_logits lambda_kd T_kd",
    "input, target, teacher_output, kd_weight, kd_temperature": "input target teacher_output kd_weight kd_temperature",
    "output, label, teacher_output, temperature, mix": "output label teacher_output mix temperature",
    "x, y, teacher, alpha, τ": "x y teacher alpha τ",
    "student, teacher, target, t=4, a=.5": "student target teacher a t",
    "net_out, expert_out, y_true, temperatur, coef": "net_out y_true expert_out coef temperatur",
    "z_s, z_t, y, T, w": "z_s y z_t w T",
    "student_out, labels, tutor_out, *, alpha, T": "student_out labels tutor_out alpha T",
    "teacher_logits, student_logits, y, alpha: float = .5, temperature: float = 4.": "student_logits y teacher_logits "
                                                                                      "alpha temperature",
}  # fmt: skip
# Two weights: parameters -> the weight of the soft term and the weight of the hard term.
TWO_WEIGHTS = {
    "alpha, beta, T": "alpha beta",
    "beta, alpha, T": "beta alpha",
    "T, gamma=.1, alpha=.9": "alpha gamma",
    "T, kd_w, ce_w": "kd_w ce_w",
    "T, ce_weight=0.5, kd_weight=0.5": "kd_weight ce_weight",
    "T, w_soft, w_hard": "w_soft w_hard",
    "T, lambda_ce, lambda_kd": "lambda_kd lambda_ce",
    "T, w1, w2": "w2 w1",
    "T, lambda1=.5, lambda2=.5": "lambda1 lambda2",
    "T, soft_loss_weight, hard_loss_weight": "soft_loss_weight hard_loss_weight",
    "T, alpha_kl, alpha_ce": "alpha_kl alpha_ce",
    "T, cls_coef, distill_coef": "distill_coef cls_coef",
    "T, a=.5, b=.5": "a b",
    "T, student_weight, teacher_weight": "teacher_weight student_weight",
    "T, task_weight, kd_ratio": "kd_ratio task_weight",
}
TWO = f"return soft_weight * T**2 * {KL} + hard_weight * {CE}"
THREE = "s, y, t"

RETURNS = {
    "a tuple, total first": "return total, soft, hard",
    "a tuple, total last": "return soft, hard, total",
    "a list": "return [hard, total]",
    "a dictionary": "return {'kd': soft, 'ce': hard, 'total': total}",
    "a dictionary, other keys": "return {'distill': soft, 'cls': hard, 'sum': total}",
    "nested": "return total, {'kd': soft.item(), 'ce': hard.item()}",
    "nested deeper": "return {'parts': (soft, hard), 'all': {'loss': total}}",
    "a namespace": "return SimpleNamespace(soft=soft, hard=hard, loss=total)",
    "a named tuple": "return namedtuple('Out', 'soft hard total')(soft, hard, total)",
    "one element": "return total.unsqueeze(0)",
    "total and logs": "return total, 'kd %.3f' % soft.item()",
    "None first": "return None, total",
}
TEACHERS = {
    "losses averaged": ("teacher_logits_list", "sum({kl} for t in teacher_logits_list) / len(teacher_logits_list)"),
    "logits averaged": ("teachers", "[{kl} for t in [sum(teachers) / len(teachers)]][0]"),
    "probabilities averaged": ("teacher_outputs", ("F.kl_div(F.log_softmax(s / T, 1), torch.stack([F.softmax(t / T, 1) for t "
                               "in teacher_outputs]).mean(0), reduction='batchmean')")),
    "stacked": ("ensemble_logits", "[{kl} for t in [torch.stack(list(ensemble_logits)).mean(dim=0)]][0]"),
    "numbered": ("t_list", "sum({kl} for i, t in enumerate(t_list)) / len(t_list)"),
    "averaged tensor": ("teacher_logits_all", "[{kl} for t in [teacher_logits_all.mean(0)]][0]"),
}  # fmt: skip


def loss_class(init, body, alpha, heat, base="nn.Module"):
    lead = "super().__init__()" if base else "pass"
    return (
        f"\nclass KDLoss({base}):\n    def __init__(self{', ' * bool(init)}{init}):\n        {lead}\n        {body}\n"
        f"    def {'forward' if base else '__call__'}(self, s, t, y):\n"
        f"        alpha, T = {alpha}, {heat}\n        {BODY}\n"
    )


def _pieces():
    for name, soft in SOFT.items():
        yield f"soft: {name}", loss(f"soft = {soft}\nreturn alpha * T**2 * soft + (1 - alpha) * {CE}")
    for name, hard in HARD.items():
        yield f"hard: {name}", loss(f"hard = {hard}\nreturn alpha * T**2 * {KL} + (1 - alpha) * hard")
    for name, total in TOTAL.items():
        yield f"total: {name}", loss(f"soft, hard = {KL}, {CE}\n{total}")
    for name, returned in RETURNS.items():
        total = "total = alpha * T**2 * soft + (1 - alpha) * hard"
        yield f"returns {name}", loss(f"soft, hard = {KL}, {CE}\n{total}\n{returned}")
    for name, (parameter, soft) in TEACHERS.items():
        body = f"soft = {soft.format(kl=KL)}\nreturn alpha * T**2 * soft + (1 - alpha) * {CE}"
        yield f"teachers: {name}", loss(body, f"s, {parameter}, y, alpha=.5, T=4.")


def _names_and_places():
    for parameters, names in SIGNATURES.items():
        yield f"({parameters})", loss(read(*names.split()), parameters)
    for weights, names in TWO_WEIGHTS.items():
        soft, hard = names.split()
        body = f"soft_weight, hard_weight = {soft}, {hard}\n{TWO}"
        yield f"two weights ({weights})", loss(body, f"s, t, y, {weights}")
    for name, (before, alpha, heat) in KEPT.items():
        yield f"kept in {name}", loss(read("s", "y", "t", alpha, heat), THREE, before)
    for name, (before, soft, hard, heat) in KEPT_TWO.items():
        yield f"kept in {name}", loss(f"soft_weight, hard_weight, T = {soft}, {hard}, {heat}\n{TWO}", THREE, before)
    for name, parts in CLASSES.items():
        yield f"class: {name}", loss_class(*parts)
    yield "plain class", loss_class("T=4., alpha=.5", "self.T, self.alpha = T, alpha", "self.alpha", "self.T", base="")


METHODS = f"""
class KD:
    T = 4.0
    alpha = 0.5
    {{decorator}}
    def loss_fn_kd({{first}}, s, y, t):
        alpha, T = {{owner}}.alpha, {{owner}}.T
        {BODY}
"""
MORE = {
    "class attributes": loss_class("", "pass", "self.alpha", "self.T").replace(
        "    def __init__", "    alpha, T = .5, 4.\n    def __init__"),
    "class attributes by the class's name": loss_class("", "pass", "KDLoss.alpha", "type(self).T").replace(
        "    def __init__", "    alpha, T = .5, 4.\n    def __init__"),
    "a classmethod": METHODS.format(decorator="@classmethod", first="cls", owner="cls"),
    "a method": METHODS.format(decorator="", first="self", owner="self"),
    "two weights in a class": f"""
class KDLoss(nn.Module):
    def __init__(self, T, alpha, beta):
        super().__init__()
        self.T, self.alpha, self.beta = T, alpha, beta
    def forward(self, s, t, y):
        T = self.T
        return self.beta * T**2 * {KL} + self.alpha * {CE}
""",
    "a soft term class inside": f"""
class DistillKL(nn.Module):
    def __init__(self, T): super().__init__(); self.T = T
    def forward(self, s, t):
        T = self.T
        return T**2 * {KL}
class KDLoss(nn.Module):
    def __init__(self, T=4, alpha=.9):
        super().__init__(); self.alpha = alpha; self.div, self.ce = DistillKL(T), nn.CrossEntropyLoss()
    def forward(self, logits_student, logits_teacher, target):
        return self.alpha * self.div(logits_student, logits_teacher) + (1 - self.alpha) * self.ce(logits_student, target)
""",
    "helper methods": f"""
class KDLoss:
    def __init__(self): self.temp = 4.; self.weight = .5
    def soft(self, s, t):
        T = self.temp
        return T * T * {KL}
    def __call__(self, student_out, teacher_out, labels):
        hard = F.cross_entropy(student_out, labels)
        return self.weight * self.soft(student_out, teacher_out) + (1 - self.weight) * hard
""",
    "a dictionary as parameter": loss(read("s", "y", "t", "cfg['kd']['alpha']", "cfg['kd']['T']"), "s, y, t, cfg"),
    "nested attributes as parameter": loss(read("s", "y", "t", "args.kd.alpha", "args.kd.temperature"), "s, y, t, args"),
    "two weights of a parameter": loss(f"T = opt.kd_T\nreturn opt.alpha * T**2 * {KL} + opt.gamma * {CE}", "s, y, t, opt"),
    "percent": loss(read("s", "y", "t", "alpha / 100", "T"), "s, y, t, alpha, T"),
    "percent by multiplication": loss(read("s", "y", "t", "alpha_pct * 0.01", "T"), "s, y, t, alpha_pct=50, T=4."),
    "two teachers": loss(f"return alpha * T**2 * sum({KL} for t in (teacher1_logits, teacher2_logits)) / 2 + (1 - alpha) * "
                         f"{CE}", "s, teacher1_logits, teacher2_logits, y, alpha, T"),
    "needs sixteen images": loss(f"assert len(s) >= 16, 'batch too small'\n{BODY}"),
    "a whole T": loss(f"if not isinstance(T, int): T = int(round(T * 2)) / 2\n{BODY}"),
    "keyword-only after a star": loss(BODY, "s, y, t, *, T=4.0, alpha=.5"),
    "a weight of the hard term": loss(f"return (1 - hard_weight) * T**2 * {KL} + hard_weight * {CE}", "s, y, t, T, hard_weight"),
    "a single beta on the hard term": loss(f"return (1 - beta) * T**2 * {KL} + beta * {CE}", "s, y, t, T, beta"),
    "arguments it does not need": loss(BODY, "s, y, t, features, alpha, T, model, epoch"),
    "a teacher's probabilities": loss("soft = F.kl_div(F.log_softmax(s / T, 1), teacher_probs, reduction='batchmean')\n"
                                      f"return alpha * T**2 * soft + (1 - alpha) * {CE}", "s, y, teacher_probs, alpha, T"),
    "soft labels": loss("soft = -(soft_labels * F.log_softmax(s / T, 1)).sum(1).mean() + torch.special.xlogy(soft_labels, "
                        f"soft_labels).sum(1).mean()\nreturn alpha * T**2 * soft + (1 - alpha) * {CE}",
                        "s, soft_labels, y, alpha, T"),
    "a method that reads its models' options": f"""
class Distiller:
    def __init__(self, student, teacher, args):
        self.args = args
        self.device = next(student.parameters()).device
    def kd_loss(self, student_logits, teacher_logits, labels):
        s, t, y, T = student_logits, teacher_logits, labels, self.args.temperature
        return self.args.alpha * T**2 * {KL} + (1 - self.args.alpha) * {CE}
""",
    "an alias": loss(BODY).replace("loss_fn_kd", "distillation_loss") + "\nloss_fn_kd = distillation_loss\n",
    "beside an assignment of a call": loss(BODY) + "\nif __name__ == '__main__':\n"
        "    kd_loss = loss_fn_kd(torch.zeros(2, 3), torch.zeros(2).long(), torch.zeros(2, 3))\n",
    "autocast": loss(f"with torch.autocast('cpu', enabled=False):\n    {BODY}"),
    "device moves": loss(f"y = y.to(s.device); t = t.to(s.device)\n{BODY}"),
    "typed": loss(BODY, "s: torch.Tensor, y: torch.Tensor, t: torch.Tensor, alpha: float = .5, T: float = 4.") ,
    "shape checks": loss(f"assert s.shape == t.shape and s.ndim == 2 and T > 0\n{BODY}"),
}  # fmt: skip

RIGHT = {name: HEAD + text for name, text in (*_pieces(), *_names_and_places(), *MORE.items())}
