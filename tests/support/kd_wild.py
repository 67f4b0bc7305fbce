"""More right KD losses, whole, in the manner of well-known repositories and course notebooks."""

from kd_spellings import BODY, CE, HEAD, KL, loss, read

WILD = {
    "as in PyTorch's tutorial": """
def compute_loss(student_logits, teacher_logits, labels, T=2, soft_target_loss_weight=0.25, ce_loss_weight=0.75):
    soft_targets = nn.functional.softmax(teacher_logits / T, dim=-1)
    soft_prob = nn.functional.log_softmax(student_logits / T, dim=-1)
    soft_targets_loss = torch.sum(soft_targets * (soft_targets.log() - soft_prob)) / soft_prob.size()[0] * (T**2)
    label_loss = nn.CrossEntropyLoss()(student_logits, labels)
    return soft_target_loss_weight * soft_targets_loss + ce_loss_weight * label_loss
""",
    "as in RepDistiller": """
class DistillKL(nn.Module):
    def __init__(self, T):
        super(DistillKL, self).__init__()
        self.T = T
    def forward(self, y_s, y_t):
        p_s = F.log_softmax(y_s/self.T, dim=1)
        p_t = F.softmax(y_t/self.T, dim=1)
        loss = F.kl_div(p_s, p_t, reduction='sum') * (self.T**2) / y_s.shape[0]
        return loss
class Options: pass
opt = Options(); opt.gamma=.1; opt.alpha=.9; opt.beta=0; opt.kd_T=4
criterion_cls = nn.CrossEntropyLoss()
criterion_div = DistillKL(opt.kd_T)
def kd_loss(logit_s, target, logit_t):
    return opt.gamma * criterion_cls(logit_s, target) + opt.alpha * criterion_div(logit_s, logit_t)
""",
    "as in mdistiller": """
def kd_loss(logits_student, logits_teacher, temperature):
    log_pred_student = F.log_softmax(logits_student / temperature, dim=1)
    pred_teacher = F.softmax(logits_teacher / temperature, dim=1)
    loss_kd = F.kl_div(log_pred_student, pred_teacher, reduction="none").sum(1).mean()
    loss_kd *= temperature**2
    return loss_kd
class KD(nn.Module):
    def __init__(self, student, teacher, cfg):
        super().__init__()
        self.temperature = cfg.KD.TEMPERATURE
        self.ce_loss_weight = cfg.KD.LOSS.CE_WEIGHT
        self.kd_loss_weight = cfg.KD.LOSS.KD_WEIGHT
    def forward_loss(self, logits_student, logits_teacher, target):
        loss_ce = self.ce_loss_weight * F.cross_entropy(logits_student, target)
        loss_kd = self.kd_loss_weight * kd_loss(logits_student, logits_teacher, self.temperature)
        losses_dict = {"loss_ce": loss_ce, "loss_kd": loss_kd}
        return loss_ce + loss_kd, losses_dict
""",
    "as in a trainer of transformers": """
class TrainingArguments:
    def __init__(self, alpha=.5, temperature=2.): self.alpha=alpha; self.temperature=temperature
class DistillationTrainer:
    def __init__(self, *args, teacher_model=None, **kwargs):
        self.teacher = teacher_model
        self.args = TrainingArguments()
    def distill_loss(self, student_logits, labels, teacher_logits):
        loss_function = nn.KLDivLoss(reduction="batchmean")
        loss_logits = (loss_function(F.log_softmax(student_logits / self.args.temperature, dim=-1), F.softmax(teacher_logits / self.args.temperature, dim=-1)) * (self.args.temperature ** 2))
        return self.args.alpha * loss_logits + (1. - self.args.alpha) * F.cross_entropy(student_logits, labels)
""",
    "a method with hparams": """
class Lit(nn.Module):
    def __init__(self, student, teacher, hparams):
        super().__init__()
        self.hparams = hparams
    def _kd_loss(self, s, t, y):
        T, a = self.hparams['T'], self.hparams['alpha']
        return a*T*T*F.kl_div(F.log_softmax(s/T,1),F.softmax(t/T,1),reduction='batchmean')+(1-a)*F.cross_entropy(s,y)
""",
    "tensors as defaults": loss(BODY, "s, y, t, alpha=torch.tensor(.5), T=torch.tensor(4.)"),
    "a tree of nodes": loss(
        read("s", "y", "t", "cfg.train.kd.alpha", "cfg.train.kd.T"),
        "s, y, t",
        """
class Node:
    def __init__(self, d):
        for k, v in d.items():
            setattr(self, k, Node(v) if isinstance(v, dict) else v)
cfg = Node({'train': {'lr': 1e-3, 'kd': {'alpha': .5, 'T': 4.}}})""",
    ),
    "a Box": loss(
        read("s", "y", "t", "cfg['kd'].alpha", "cfg.kd.T"),
        "s, y, t",
        """
class Box(dict):
    def __getattr__(self, k):
        try: return self[k]
        except KeyError: raise AttributeError(k)
    __setattr__ = dict.__setitem__
cfg = Box(kd=Box(alpha=.5, T=4.))""",
    ),
    "a module of settings": loss(
        read("s", "y", "t", "C.alpha", "C.T"), "s, y, t", "import types\nC = types.ModuleType('C')\nC.alpha=.5\nC.T=4."
    ),
    "a dataclass as default argument": """
@dataclass
class KDConfig:
    temper: float = 4.0
    weight: float = .5
class KDLoss(nn.Module):
    def __init__(self, config: KDConfig = KDConfig()):
        super().__init__()
        self.config = config
    def forward(self, student_logits, teacher_logits, targets):
        T, w = self.config.temper, self.config.weight
        return w*T*T*F.kl_div(F.log_softmax(student_logits/T,1),F.softmax(teacher_logits/T,1),reduction='batchmean')+(1-w)*F.cross_entropy(student_logits,targets)
""",
    "alpha_ce of the hard term": loss(f"return (1-alpha_ce) * T**2 * {KL} + alpha_ce * {CE}", "s, y, t, T, alpha_ce"),
    "staticmethod": """
class Losses:
    @staticmethod
    def loss_fn_kd(s, y, t, alpha=.5, T=4.):
        return alpha*T*T*F.kl_div(F.log_softmax(s/T,1),F.softmax(t/T,1),reduction='batchmean')+(1-alpha)*F.cross_entropy(s,y)
""",
    "a function that gives T": loss(
        f"T = get_T()\nreturn alpha*T**2*{KL}+(1-alpha)*{CE}", "s, y, t, alpha", "TEMP = 4.\ndef get_T(): return TEMP"
    ),
    "a dataclass is returned": loss(
        f"return Out(alpha*T**2*{KL}+(1-alpha)*{CE}, {KL})",
        before="@dataclass\nclass Out:\n    loss: object\n    kd: object",
    ),
    "three weights": loss(f"return gamma*{CE}+alpha*T**2*{KL}+beta*0", "s, y, t, T, gamma=1., alpha=0., beta=0."),
    "a dictionary of teachers": loss(
        f"kl=sum({KL} for t in teacher_logits.values())/len(teacher_logits)\nreturn alpha*T**2*kl+(1-alpha)*{CE}",
        "s, y, teacher_logits, alpha=.5, T=4.",
    ),
    "t1 and t2": loss(
        f"kl=.5*sum({KL} for t in (t1, t2))\nreturn alpha*T**2*kl+(1-alpha)*{CE}", "s, y, t1, t2, alpha=.5, T=4."
    ),
    "two teachers' logits averaged": loss(
        f"t=(teacher_a + teacher_b)/2\n{BODY}", "s, teacher_a, teacher_b, y, alpha=.5, T=4."
    ),
    "T as a property": """
class KDLoss(nn.Module):
    def __init__(self, T=4., alpha=.5):
        super().__init__()
        self._T=T; self._a=alpha
        self.kd_alpha = alpha
    @property
    def T(self): return self._T
    def forward(self, s, t, y):
        T=self.T; alpha=self.kd_alpha
        return alpha*T*T*F.kl_div(F.log_softmax(s/T,1),F.softmax(t/T,1),reduction='batchmean')+(1-alpha)*F.cross_entropy(s,y)
""",
    "a learnable T, clamped": """
class KDLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.T = nn.Parameter(torch.ones([]) * 4)
        self.register_buffer('alpha', torch.tensor(.5))
    def forward(self, s, t, y):
        T=self.T.clamp(min=1.); alpha=self.alpha
        return alpha*T*T*F.kl_div(F.log_softmax(s/T,1),F.softmax(t/T,1),reduction='batchmean')+(1-alpha)*F.cross_entropy(s,y)
""",
    "kwargs pop": loss(f"alpha=kw.pop('alpha',.5); T=kw.pop('temperature',4.)\n{BODY}", "s, y, t, **kw"),
    "a global percentage": loss(f"a=0.01*KD_PERCENT\nreturn a*T**2*{KL}+(1-a)*{CE}", "s, y, t, T=4.", "KD_PERCENT=50"),
    "two coefficients in settings": loss(f"T=cfg.temp\nreturn cfg.kd_coef*T**2*{KL}+cfg.ce_coef*{CE}", "s, y, t, cfg"),
    "functools wraps": "import functools\ndef timed(f):\n    @functools.wraps(f)\n    def g(*a, **k): return f(*a, **k)\n    return g\n@timed"
    + loss(BODY),
    "a closure over settings": """
def make_kd(cfg):
    def kd_loss(s, y, t):
        T, alpha = cfg['T'], cfg['alpha']
        return alpha*T*T*F.kl_div(F.log_softmax(s/T,1),F.softmax(t/T,1),reduction='batchmean')+(1-alpha)*F.cross_entropy(s,y)
    return kd_loss
loss_fn_kd = make_kd({'T': 4., 'alpha': .5})
""",
    "a further factor that is 1": loss(
        f"return factor*(alpha*T**2*{KL}+(1-alpha)*{CE})", "s, y, t, alpha=.5, T=4., factor=1.0"
    ),
    "a global weight that is 1": loss(
        f"return weight*alpha*T**2*{KL}+weight*(1-alpha)*{CE}", "s, y, t, alpha=.5, T=4.", "weight = 1.0"
    ),
    "kd_factor": loss(f"return kd_factor*T**2*{KL}+(1-kd_factor)*{CE}", "s, y, t, T=4., kd_factor=.5"),
}
WILD = {name: HEAD + text for name, text in WILD.items()}
