"""Where right KD losses keep α and T: globals, settings of all kinds, classes and their constructors."""

# Where α and T are kept: what stands before the function, and what it reads.
KEPT = {
    "two globals": ("ALPHA, T_KD = 0.5, 4.0", "ALPHA", "T_KD"),
    "annotated globals": ("ALPHA: float = 0.5\nTEMPERATURE: float = 4.0", "ALPHA", "TEMPERATURE"),
    "temper as a global": ("temper = 4\nKD_ALPHA = 0.5", "KD_ALPHA", "temper"),
    "a dataclass": ("@dataclass\nclass Cfg:\n    alpha: float = 0.5\n    T: float = 4.0\ncfg = Cfg()", "cfg.alpha", "cfg.T"),
    "a frozen dataclass": ("@dataclass(frozen=True)\nclass Cfg:\n    alpha: float = 0.5\n    T: float = 4.0\ncfg = Cfg()",
                           "cfg.alpha", "cfg.T"),
    "a dataclass with slots": ("@dataclass(slots=True)\nclass Cfg:\n    alpha: float = 0.5\n    T: float = 4.0\ncfg = Cfg()",
                               "cfg.alpha", "cfg.T"),
    "nested dataclasses": (("@dataclass\nclass KD:\n    alpha: float = 0.5\n    temperature: float = 4.0\n@dataclass\n"
                           "class Cfg:\n    kd: KD = field(default_factory=KD)\ncfg = Cfg()"),
                           "cfg.kd.alpha", "cfg.kd.temperature"),
    "SimpleNamespace": ("hp = SimpleNamespace(alpha=0.5, tau=4.0)", "hp.alpha", "hp.tau"),
    "nested SimpleNamespace": ("C = SimpleNamespace(lr=.1, kd=SimpleNamespace(alpha=0.5, T=4.0))", "C.kd.alpha", "C.kd.T"),
    "a nested dictionary": ("config = {'lr': .1, 'kd': {'alpha': .5, 'T': 4}}", "config['kd']['alpha']", "config['kd']['T']"),
    "a dictionary in a namespace": ("C = SimpleNamespace(kd={'alpha': .5, 'T': 4})", "C.kd['alpha']", "C.kd['T']"),
    "argparse": (("p = argparse.ArgumentParser()\np.add_argument('--alpha', type=float, default=.5)\n"
                 "p.add_argument('--temperature', type=float, default=4.)\nargs = p.parse_args([])"),
                 "args.alpha", "args.temperature"),
    "an argparse Namespace": ("opt = argparse.Namespace(kd_alpha=.5, kd_T=4)", "opt.kd_alpha", "opt.kd_T"),
    "a dictionary with attributes": (("class AttrDict(dict):\n    __getattr__ = dict.__getitem__\n"
                                     "cfg = AttrDict(kd=AttrDict(alpha=.5, T=4))"), "cfg.kd.alpha", "cfg.kd.T"),
    "a ConfigDict": (("class ConfigDict:\n    def __init__(self, **k): object.__setattr__(self, '_fields', dict(k))\n"
                     "    def __getattr__(self, n): return self._fields[n]\n"
                     "    def __getitem__(self, n): return self._fields[n]\n"
                     "cfg = ConfigDict(kd=ConfigDict(alpha=.5, T=4.))"), "cfg.kd.alpha", "cfg['kd'].T"),
    "a class within a class": ("class CFG:\n    class KD:\n        ALPHA = .5\n        TEMP = 4", "CFG.KD.ALPHA", "CFG.KD.TEMP"),
    "a named tuple": ("HP = namedtuple('HP', 'alpha T')\nhp = HP(.5, 4.)", "hp.alpha", "hp.T"),
    "a list of settings": ("hp = [{'alpha': .5, 'T': 4.}]", "hp[0]['alpha']", "hp[0]['T']"),
    "tensors": ("ALPHA = torch.tensor(0.5)\nT_KD = torch.tensor(4.0)", "ALPHA", "T_KD"),
    "tensors of one element": ("ALPHA = torch.tensor([0.5])\nT_KD = torch.tensor([4])", "ALPHA.squeeze()", "T_KD.squeeze()"),
    "a parameter": ("T_KD = nn.Parameter(torch.tensor(4.0), requires_grad=False)\nALPHA = .5", "ALPHA", "T_KD"),
    "ParameterDict": ("hp = nn.ParameterDict({'T': nn.Parameter(torch.tensor(4.)), 'alpha': nn.Parameter(torch.tensor(.5))})",
                      "hp['alpha']", "hp['T']"),
    "a property": (("class Cfg:\n    _alpha, _T = .5, 4.\n    @property\n    def alpha(self): return self._alpha\n"
                   "    @property\n    def T(self): return self._T\ncfg = Cfg()"), "cfg.alpha", "cfg.T"),
    "getattr with a default": ("args = argparse.Namespace(alpha=.5, T=4.)", "getattr(args, 'alpha', .5)",
                               "getattr(args, 'T', 4.)"),
    "percent": ("ALPHA_PERCENT = 50\nT_KD = 4.", "ALPHA_PERCENT / 100", "T_KD"),
}  # fmt: skip
# Two weights outside: what stands before, soft weight, hard weight, T.
KEPT_TWO = {
    "two global weights": ("alpha, beta, T_KD = .5, .5, 4.", "alpha", "beta", "T_KD"),
    "RepDistiller's options": ("opt = argparse.Namespace(gamma=.1, alpha=.9, kd_T=4)", "opt.alpha", "opt.gamma", "opt.kd_T"),
    "a dictionary of weights": ("W = {'kd_w': .5, 'ce_w': .5, 'T': 4}", "W['kd_w']", "W['ce_w']", "W['T']"),
    "nested weights": ("cfg = {'loss': {'w_hard': .5, 'w_soft': .5}, 'T': 4}", "cfg['loss']['w_soft']",
                       "cfg['loss']['w_hard']", "cfg['T']"),
    "a derived weight": ("ALPHA = .5\nBETA = 1 - ALPHA\nT_KD = 4.", "ALPHA", "BETA", "T_KD"),
    "ce and kd lambdas": ("LAMBDA_CE, LAMBDA_KD, TAU = .1, .9, 4.", "LAMBDA_KD", "LAMBDA_CE", "TAU"),
}  # fmt: skip

# Classes: the constructor's parameters and body, how forward reads student, labels, teacher, α and T.
CLASSES = {
    "constructor arguments": ("T=4., alpha=.5", "self.T, self.alpha = T, alpha", "self.alpha", "self.T"),
    "required arguments": ("temperature, alpha", "self.temperature, self.alpha = temperature, alpha", "self.alpha",
                           "self.temperature"),
    "temper": ("temper=4., alpha=.5", "self.temper, self.alpha = temper, alpha", "self.alpha", "self.temper"),
    "nn.Parameter T": ("", "self.T = nn.Parameter(torch.tensor(4.0)); self.alpha = .5", "self.alpha", "self.T"),
    "nn.Parameter of ones": ("", "self.temperature = nn.Parameter(torch.ones(1) * 4); self.alpha = .5", "self.alpha",
                             "self.temperature.squeeze()"),
    "nn.Parameter from an argument": ("T=4., alpha=.5", "self.T = nn.Parameter(torch.tensor(float(T))); self.alpha = alpha",
                                      "self.alpha", "self.T"),
    "a buffer": ("", "self.register_buffer('T', torch.tensor(4)); self.alpha = .5", "self.alpha", "self.T"),
    "private attributes": ("", "self._T = 4.; self._alpha = .5", "self._alpha", "self._T"),
    "derived in the constructor": ("T=4., alpha=.5", "self.T, self.T2, self.alpha = T, T * T, alpha", "self.alpha",
                                   "self.T2 ** .5"),
    "a config argument": ("cfg", "self.cfg = cfg", "self.cfg.alpha", "self.cfg.temperature"),
    "a nested config argument": ("cfg", "self.cfg = cfg", "self.cfg.kd.alpha", "self.cfg['kd']['T']"),
    "a config read at once": ("args", "self.alpha, self.T = args.alpha, args.T", "self.alpha", "self.T"),
    "its own dictionary": ("", "self.hp = {'alpha': .5, 'T': 4.}", "self.hp['alpha']", "self.hp['T']"),
    "its own namespace": ("", "self.hp = SimpleNamespace(alpha=.5, T=4.)", "self.hp.alpha", "self.hp.T"),
    "percent alpha": ("alpha_percent=50, T=4.", "self.alpha, self.T = alpha_percent / 100, T", "self.alpha", "self.T"),
    "kwargs": ("**kw", "self.alpha, self.T = kw.get('alpha', .5), kw.get('T', 4.)", "self.alpha", "self.T"),
}  # fmt: skip
