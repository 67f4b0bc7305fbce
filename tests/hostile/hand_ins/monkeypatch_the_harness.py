# Replaces the harness's own functions in its process: how it finds, counts, loads and answers.
# expect: graded
# weights: large 5000
# check: parameter_limit failed|could_not_check
import sys

import torch
from attack import Attack
from torch import nn


class Said(dict):
    def model_dump(self, **_):
        return dict(self)


class StudentNet(Attack):
    def __init__(self):
        super().__init__()
        self.large = nn.Parameter(torch.zeros(5000))

    def attack(self):
        for name, module in list(sys.modules.items()):
            if name.startswith("harness.worker"):
                for each in ("Model", "Session"):
                    kind = getattr(module, each, None)
                    if kind is not None and hasattr(kind, "describe"):
                        kind.describe = lambda *_: Said(torchinfo=10, torchinfo_error=None, mult_adds=1, layers=[])

    def forward(self, x):
        return super().forward(x) + 0 * self.large.sum()
