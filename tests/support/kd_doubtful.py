"""KD losses that may be right where they are used, which nobody can check, and what has to be said of them."""

from kd_spellings import BODY, CE, HEAD, KL, THREE, loss, loss_class, read

DOUBTFUL = {
    "DistillKL": ("""
class DistillKL(nn.Module):
    def __init__(self, T): super().__init__(); self.T = T
    def forward(self, y_s, y_t):
        p_s, p_t = F.log_softmax(y_s / self.T, dim=1), F.softmax(y_t / self.T, dim=1)
        return F.kl_div(p_s, p_t, reduction='batchmean') * self.T ** 2
""", "soft term alone"),
    "DistillKL of old": ("""
class DistillKL(nn.Module):
    def __init__(self, T): super().__init__(); self.T = T
    def forward(self, y_s, y_t):
        p_s, p_t = F.log_softmax(y_s / self.T, dim=1), F.softmax(y_t / self.T, dim=1)
        return F.kl_div(p_s, p_t, reduction='sum') * (self.T ** 2) / y_s.shape[0]
""", "soft term alone"),
    "a soft term as function": (loss(f"return T**2 * {KL}", "s, t, T"), "soft term alone"),
    "a soft term weighted": (loss(f"return alpha * T**2 * {KL}", "s, t, alpha, T"), "soft term alone"),
    "a soft term with T² outside": (loss(f"return {KL}", "s, t, T"), "soft term alone"),
    "the terms apart": (loss(f"return T**2 * {KL}, {CE}", "s, y, t, T"), "terms apart"),
    "the terms apart, by key": (loss(f"return {{'kd': T**2 * {KL}, 'ce': {CE}}}", "s, y, t, T"), "terms apart"),
    "its own teacher": (loss(f"t = teacher_net(images)\n{BODY}", "s, y, images, alpha, T"), "teacher_net"),
    "calls its teacher": (loss(f"t = teacher(images)\n{BODY}", "s, y, images, teacher, alpha, T"), "images"),
    "a minimum it states": (loss(f"if len(s) < 1000: raise ValueError('batches of 1000')\n{BODY}"), "batches of 1000"),
    "whole T only": (loss(f"T = range(T)[-1] + 1\n{BODY}"), "integer"),
    "whole T only, said so": (loss(f"assert isinstance(T, int), 'T must be an int'\n{BODY}"), "T must be an int"),
    "images wanted": (loss(f"b, c, h, w = s.shape\n{BODY}"), "not enough values"),
    "a feature argument it needs": (loss(f"s = s + 0 * features.sum()\n{BODY}", "s, y, t, features, alpha, T"), "features"),
    "T through a logarithm": (loss_class("", "self.alpha, self.log_T = .5, nn.Parameter(torch.tensor(4.).log())", "self.alpha",
                                     "self.log_T.exp()"), "T cannot be set"),
    "numbers from a file": (loss(read("s", "y", "t", "float(open('kd.txt').read())", "4.")), "kd.txt"),
    "T out of reach": (loss(f"T = max(SCHEDULE)\n{BODY}", "s, y, t, alpha", "SCHEDULE = (1., 4.)"), "T"),
    "derived by hand": (loss(f"return ALPHA * SQUARE * {KL} + (1 - ALPHA) * {CE}", THREE,
                             "T, ALPHA = 4., .3\nSQUARE = T * T"), "own"),
}  # fmt: skip
DOUBTFUL = {name: (HEAD + text, words) for name, (text, words) in DOUBTFUL.items()}
