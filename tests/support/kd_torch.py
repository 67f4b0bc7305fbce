"""KD losses in torch, piece by piece, as students write them: right ones, mistakes and compounds.

Independent of the catalogue's NumPy formulas, which the tests compare with what these return.
"""

SOFTENINGS = {
    "both": ("s / T", "t / T"),
    "student_only": ("s / T", "t"),
    "teacher_only": ("s", "t / T"),
    "ignored": ("s", "t"),
    "multiplied": ("s * T", "t * T"),
    "divided_twice": ("s / T / T", "t / T / T"),
    "softmax_twice": ("F.softmax(s / T, dim=1)", "F.softmax(t / T, dim=1)"),
    "student_softmax_twice": ("F.softmax(s / T, dim=1)", "t / T"),
    "teacher_softmax_twice": ("s / T", "F.softmax(t / T, dim=1)"),
    "softmax_before_division": ("F.softmax(s, dim=1) / T", "F.softmax(t, dim=1) / T"),
    "teacher_softmax_before_division": ("s / T", "F.softmax(t, dim=1) / T"),
}
DIVERGENCES = {
    "kl": "F.kl_div(F.log_softmax(a, dim=1), F.softmax(b, dim=1), reduction='none')",
    "reverse_kl": "F.kl_div(F.log_softmax(b, dim=1), F.softmax(a, dim=1), reduction='none')",
    "soft_cross_entropy": "-F.softmax(b, dim=1) * F.log_softmax(a, dim=1)",
    "reverse_soft_cross_entropy": "-F.softmax(a, dim=1) * F.log_softmax(b, dim=1)",
    "probabilities_as_input": "F.kl_div(F.softmax(a, dim=1), F.softmax(b, dim=1), reduction='none')",
    "reversed_probabilities_as_input": "F.kl_div(F.softmax(b, dim=1), F.softmax(a, dim=1), reduction='none')",
    "log_target_on_probabilities":
        "F.kl_div(F.log_softmax(a, dim=1), F.softmax(b, dim=1), reduction='none', log_target=True)",
    "logits_as_input": "F.kl_div(a, F.softmax(b, dim=1), reduction='none')",
    "negative": "F.softmax(b, dim=1) * (F.log_softmax(a, dim=1) - F.log_softmax(b, dim=1))",
}  # fmt: skip
REDUCTIONS = {
    "batchmean": "soft.sum() / soft.size(0)",
    "mean": "soft.mean()",
    "sum": "soft.sum()",
    "batchmean_twice": "soft.sum() / soft.shape[0] / soft.shape[0]",
    "class_mean": "soft.mean(dim=1).sum()",
}
POWERS = {
    "t_squared": "T * T * soft", "no_factor": "soft", "t": "T * soft", "per_t_squared": "soft / T**2",
    "per_t": "soft / T",
}  # fmt: skip
WEIGHTS = {
    "alpha": "alpha * soft + (1 - alpha) * hard",
    "swapped": "(1 - alpha) * soft + alpha * hard",
    "hard_unweighted": "alpha * soft + hard",
    "unweighted": "soft + hard",
    "soft_unweighted": "soft + (1 - alpha) * hard",
    "doubled": "2 * alpha * soft + (1. - alpha) * hard",
}
HARDS = {
    "ce": "F.cross_entropy(s, y)",
    "softened_ce": "F.cross_entropy(s / T, y)",
    "softmax_ce": "F.cross_entropy(F.softmax(s, dim=1), y)",
    "softened_softmax_ce": "nn.CrossEntropyLoss()(F.softmax(s / T, dim=1), y)",
    "nll_of_probabilities": "F.nll_loss(F.softmax(s, dim=1), y)",
    "label_smoothing": "F.cross_entropy(s, y, label_smoothing=0.1)",
    "teacher_ce": "F.cross_entropy(t, y)",
    "teacher_labels": "F.cross_entropy(s, t.argmax(dim=1))",
    "soft_only": "0.0",
}
HARD_SCALES = {"hard_mean": "hard", "hard_sum": "hard * len(y)"}


def source(softening="both", divergence="kl", reduction="batchmean", power="t_squared", weights="alpha",
           hard="ce", hard_scale="hard_mean"):  # fmt: skip
    """A whole function with the named way of writing each part."""
    a, b = SOFTENINGS[softening]
    return f"""
def loss_fn_kd(outputs, labels, teacher_outputs, alpha=0.5, T=4.0):
    s, t, y = outputs, teacher_outputs, labels
    a, b = {a}, {b}
    soft = {DIVERGENCES[divergence]}
    soft = {REDUCTIONS[reduction]}
    soft = {POWERS[power]}
    hard = {HARDS[hard]}
    hard = {HARD_SCALES[hard_scale]}
    return {WEIGHTS[weights]}
"""


def function(body):
    return f"\ndef loss_fn_kd(outputs, labels, teacher_outputs, T=4.0, alpha=0.5):\n    {body}\n"


KL = "F.kl_div(F.log_softmax(outputs / T, 1), F.softmax(teacher_outputs / T, 1), reduction='batchmean')"
CE = "F.cross_entropy(outputs, labels)"

# Catalogue name -> a hand-in with that one mistake, as it is really written.
MISTAKES = {
    "no_factor": function(f"return alpha * {KL} + (1 - alpha) * {CE}"),
    "t": function(f"return alpha * T * {KL} + (1 - alpha) * {CE}"),
    "per_t_squared": function(f"return alpha * {KL} / (T * T) + (1 - alpha) * {CE}"),
    "per_t": function(f"return alpha * {KL} / T + (1 - alpha) * {CE}"),
    "t_cubed": function(f"return alpha * T**3 * {KL} + (1 - alpha) * {CE}"),
    "t_fourth": function(f"return alpha * T**4 * {KL} + (1 - alpha) * {CE}"),
    "t_squared_on_all": function(f"return T * T * (alpha * {KL} + (1 - alpha) * {CE})"),
    "t_on_all": function(f"return T * (alpha * {KL} + (1 - alpha) * {CE})"),
    "swapped": function(f"return (1 - alpha) * T**2 * {KL} + alpha * {CE}"),
    "hard_unweighted": function(f"return alpha * T**2 * {KL} + {CE}"),
    "soft_unweighted": function(f"return T**2 * {KL} + (1 - alpha) * {CE}"),
    "unweighted": function(f"return T**2 * {KL} + {CE}"),
    "doubled": function(f"return {KL} * (alpha * 2 * T * T) + {CE} * (1. - alpha)"),
    "alpha_on_both": function(f"return alpha * (T**2 * {KL} + {CE})"),
    "rest_on_both": function(f"return (1 - alpha) * (T**2 * {KL} + {CE})"),
    "alpha_on_hard_only": function(f"return T**2 * {KL} + alpha * {CE}"),
    "rest_on_soft_only": function(f"return (1 - alpha) * T**2 * {KL} + {CE}"),
    "squared": function(f"return alpha * alpha * T**2 * {KL} + (1 - alpha) * {CE}"),
    "mean": function("return alpha * T**2 * nn.KLDivLoss()(F.log_softmax(outputs / T, 1), "
                     f"F.softmax(teacher_outputs / T, 1)) + (1 - alpha) * {CE}"),
    "sum": function("return alpha * T**2 * nn.KLDivLoss(reduction='sum')(F.log_softmax(outputs / T, 1), "
                    f"F.softmax(teacher_outputs / T, 1)) + (1 - alpha) * {CE}"),
    "batchmean_twice": function(f"return alpha * T**2 * {KL} / len(labels) + (1 - alpha) * {CE}"),
    "class_mean": function("return alpha * T**2 * F.kl_div(F.log_softmax(outputs / T, 1), F.softmax("
                           f"teacher_outputs / T, 1), reduction='none').mean(1).sum() + (1 - alpha) * {CE}"),
    "hard_sum": function(f"return alpha * T**2 * {KL} + (1 - alpha) * F.cross_entropy(outputs, labels, "
                         "reduction='sum')"),
    "hard_per_batch": function(f"return alpha * T**2 * {KL} + (1 - alpha) * {CE} / outputs.size(0)"),
    "hard_class_mean": function(
        f"return alpha * T**2 * {KL} - (1 - alpha) * (F.one_hot(labels, outputs.shape[1]) * "
        "F.log_softmax(outputs, 1)).mean()"),
    "student_and_teacher_swapped": function(
        "return alpha * T**2 * F.kl_div(F.log_softmax(teacher_outputs / T, 1), F.softmax(outputs / T, 1), "
        "reduction='batchmean') + (1 - alpha) * F.cross_entropy(teacher_outputs, labels)"),
    "temperature_unused": function(
        "return alpha * F.kl_div(F.log_softmax(outputs, 1), F.softmax(teacher_outputs, 1), "
        f"reduction='batchmean') + (1 - alpha) * {CE}"),
    "student_divided_twice": function(
        f"outputs = outputs / T; hard = F.cross_entropy(outputs * T, labels); "
        f"return alpha * T**2 * {KL} + (1 - alpha) * hard"),
    "teacher_divided_twice": function(f"teacher_outputs /= T; return alpha * T**2 * {KL} + (1 - alpha) * {CE}"),
    "divided_after": function(
        "return alpha * T**2 * F.kl_div(F.log_softmax(outputs, 1) / T, F.softmax(teacher_outputs, 1) / T, "
        f"reduction='batchmean') + (1 - alpha) * {CE}"),
    "divided_after_before_log": function(
        "return alpha * T**2 * F.kl_div((F.softmax(outputs, 1) / T).log(), F.softmax(teacher_outputs, 1) / T, "
        f"reduction='batchmean') + (1 - alpha) * {CE}"),
    "student_divided_after": function(
        "return alpha * T**2 * F.kl_div(F.log_softmax(outputs, 1) / T, F.softmax(teacher_outputs / T, 1), "
        f"reduction='batchmean') + (1 - alpha) * {CE}"),
    "teacher_divided_after": function(
        "return alpha * T**2 * F.kl_div(F.log_softmax(outputs / T, 1), F.softmax(teacher_outputs, 1) / T, "
        f"reduction='batchmean') + (1 - alpha) * {CE}"),
    "batch_dimension": function(
        "return alpha * T**2 * F.kl_div(F.log_softmax(outputs / T, dim=0), F.softmax(teacher_outputs / T, "
        f"dim=0), reduction='batchmean') + (1 - alpha) * {CE}"),
    "student_batch_dimension": function(
        "return alpha * T**2 * F.kl_div(F.log_softmax(outputs / T, dim=0), F.softmax(teacher_outputs / T, "
        f"dim=1), reduction='batchmean') + (1 - alpha) * {CE}"),
    "teacher_batch_dimension": function(
        "return alpha * T**2 * F.kl_div(F.log_softmax(outputs / T, dim=1), F.softmax(teacher_outputs / T, "
        f"dim=0), reduction='batchmean') + (1 - alpha) * {CE}"),
    "jensen_shannon": function(
        "p, q = F.softmax(teacher_outputs / T, 1), F.softmax(outputs / T, 1); m = (p + q) / 2; js = 0.5 * "
        "(F.kl_div(m.log(), p, reduction='batchmean') + F.kl_div(m.log(), q, reduction='batchmean')); "
        f"return alpha * T**2 * js + (1 - alpha) * {CE}"),
    "symmetric_kl": function(
        f"back = F.kl_div(F.log_softmax(teacher_outputs / T, 1), F.softmax(outputs / T, 1), "
        f"reduction='batchmean'); return alpha * T**2 * ({KL} + back) + (1 - alpha) * {CE}"),
    "mse_logits": function(f"return alpha * F.mse_loss(outputs, teacher_outputs) + (1 - alpha) * {CE}"),
    "mse_probabilities": function(
        "return alpha * F.mse_loss(F.softmax(outputs / T, 1), F.softmax(teacher_outputs / T, 1)) + "
        f"(1 - alpha) * {CE}"),
    "teacher_argmax": function(
        "return alpha * F.cross_entropy(outputs, teacher_outputs.argmax(1)) + (1 - alpha) * "
        f"{CE}"),
    "scale_inside": function(
        "return alpha * F.kl_div(F.log_softmax(outputs / T, 1), F.softmax(teacher_outputs / T, 1) * T**2, "
        f"reduction='batchmean') + (1 - alpha) * {CE}"),
    "scale_and_alpha_inside": function(
        "return F.kl_div(F.log_softmax(outputs / T, 1), F.softmax(teacher_outputs / T, 1) * (alpha * T**2), "
        f"reduction='batchmean') + (1 - alpha) * {CE}"),
    "hard_only": function(f"return (1 - alpha) * {CE}"),
    "soft_only": function(f"return alpha * T**2 * {KL}"),
    "nll_of_logits": function(f"return alpha * T**2 * {KL} + (1 - alpha) * F.nll_loss(outputs, labels)"),
    "label_smoothing_05": function(
        f"return alpha * T**2 * {KL} + (1 - alpha) * F.cross_entropy(outputs, labels, label_smoothing=.05)"),
    "label_smoothing_20": function(
        f"return alpha * T**2 * {KL} + (1 - alpha) * F.cross_entropy(outputs, labels, label_smoothing=.2)"),
    "softened_teacher_ce": function(
        f"return alpha * T**2 * {KL} + (1 - alpha) * F.cross_entropy(teacher_outputs / T, labels)"),
    "batch_dimension_ce": function(
        f"return alpha * T**2 * {KL} + (1 - alpha) * F.nll_loss(F.log_softmax(outputs, dim=0), labels)"),
    "negated": function(f"return -(alpha * T**2 * {KL} + (1 - alpha) * {CE})"),
    "halved": function(f"return (alpha * T**2 * {KL} + (1 - alpha) * {CE}) / 2"),
    "alpha_hard_coded": function(f"alpha = 0.5; return alpha * T**2 * {KL} + (1 - alpha) * {CE}"),
    "temperature_hard_coded": function(f"T = 4; return alpha * T**2 * {KL} + (1 - alpha) * {CE}"),
    "log_target_missing": function(
        "return alpha * T**2 * F.kl_div(F.log_softmax(outputs / T, 1), F.log_softmax(teacher_outputs / T, 1), "
        f"reduction='batchmean') + (1 - alpha) * {CE}"),
    "kl_div_reversed": function(
        "return alpha * T**2 * F.kl_div(F.softmax(teacher_outputs / T, 1), F.log_softmax(outputs / T, 1), "
        f"reduction='batchmean') + (1 - alpha) * {CE}"),
    "log_of_logits": function(
        "return alpha * T**2 * F.kl_div((outputs / T).log(), F.softmax(teacher_outputs / T, 1), "
        f"reduction='batchmean') + (1 - alpha) * {CE}"),
}  # fmt: skip
MISTAKES |= {name: source(divergence=name) for name in DIVERGENCES if name != "kl"}
MISTAKES |= {name: source(softening=name) for name in SOFTENINGS if name != "both"}
MISTAKES |= {name: source(hard=name) for name in HARDS if name not in ("ce", "soft_only")}
MISTAKES["ignored"] = source(softening="ignored")

# Other spellings of a mistake, or of one that gives the same values.
VARIANTS = {
    "legacy batchmean": ("mean", MISTAKES["mean"].replace("KLDivLoss()", "KLDivLoss('batchmean')")),
    "hand-written over N·C": ("mean", function(
        "p = F.softmax(teacher_outputs / T, 1); soft = (p * (p.log() - F.log_softmax(outputs / T, 1))).mean(); "
        f"return alpha * T**2 * soft + (1 - alpha) * {CE}")),
    "in place": ("softened_ce", function(
        "s = outputs.clone(); s /= T; soft = F.kl_div(F.log_softmax(s, 1), F.softmax(teacher_outputs / T, 1), "
        "reduction='batchmean'); return alpha * T**2 * soft + (1 - alpha) * F.cross_entropy(s, labels)")),
    "soft targets by cross_entropy": ("soft_cross_entropy", function(
        "soft = F.cross_entropy(outputs / T, F.softmax(teacher_outputs / T, 1)); "
        f"return alpha * T**2 * soft + (1 - alpha) * {CE}")),
    "alpha half literal": ("alpha_hard_coded", function(f"return 0.5 * T**2 * {KL} + 0.5 * {CE}")),
    "odd temperature": ("temperature_hard_coded", function(
        f"T = 3.7; return alpha * T**2 * {KL} + (1 - alpha) * {CE}")),
    "float32 inside": ("no_factor", function(
        "outputs, teacher_outputs = outputs.float(), teacher_outputs.float(); "
        f"return alpha * {KL} + (1 - alpha) * {CE}")),
}  # fmt: skip

RIGHT = {
    "kl_div": function(f"return alpha * T**2 * {KL} + (1 - alpha) * {CE}"),
    "module": function(
        "return nn.KLDivLoss(reduction='batchmean')(F.log_softmax(outputs / T, dim=1), "
        "F.softmax(teacher_outputs / T, dim=1)) * (alpha * T * T) + "
        "nn.CrossEntropyLoss()(outputs, labels) * (1. - alpha)"),
    "log target": function(
        "soft = F.kl_div(F.log_softmax(outputs / T, -1), F.log_softmax(teacher_outputs / T, -1), "
        f"reduction='sum', log_target=True) / outputs.size(0); return alpha * soft * T**2 + (1 - alpha) * {CE}"),
    "by hand": function(
        "p = torch.softmax(teacher_outputs / T, 1); q = torch.softmax(outputs / T, 1); "
        "soft = (p * torch.log(p / q)).sum(1).mean(); "
        f"return alpha * T * T * soft + (1 - alpha) * {CE}"),
    "entropies": function(
        "p = F.softmax(teacher_outputs / T, 1); logq = F.log_softmax(outputs / T, 1); "
        "soft = -(p * logq).sum(1).mean() + (p * p.log()).sum(1).mean(); "
        f"return (T**2) * soft * alpha + {CE} * (1 - alpha)"),
    "logsumexp": function(
        "def ls(z): return z - z.logsumexp(1, keepdim=True)\n"
        "    a, b = ls(outputs / T), ls(teacher_outputs / T)\n"
        "    soft = (b.exp() * (b - a)).sum() / len(labels)\n"
        "    hard = -ls(outputs)[torch.arange(len(labels)), labels].mean()\n"
        "    return hard + alpha * (T * T * soft - hard)"),
    "one-hot inside": function(
        "y = F.one_hot(labels, outputs.shape[1]).to(outputs.dtype); "
        "hard = -(y * F.log_softmax(outputs, 1)).sum(1).mean(); "
        f"return alpha * T**2 * {KL} + (1 - alpha) * hard"),
    "distributions": function(
        "from torch.distributions import Categorical, kl_divergence\n"
        "    p, q = Categorical(logits=teacher_outputs / T), Categorical(logits=outputs / T)\n"
        f"    return alpha * T**2 * kl_divergence(p, q).mean() + (1 - alpha) * {CE}"),
}  # fmt: skip
