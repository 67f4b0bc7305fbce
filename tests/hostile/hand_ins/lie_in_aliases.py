# Would call its tensors second names of themselves, but they were decoded where none of this runs; torchinfo lies.
# expect: graded
# weights: large 5000
# check: parameter_limit failed|could_not_check
# silent: what it replaces is not asked again
import dataclasses
import sys

import torch
from attack import Honest
from torch import nn


class Said(dict):
    def model_dump(self, **_):
        return dict(self)


def lie():
    for name, module in list(sys.modules.items()):
        if not name.startswith("harness.worker"):
            continue
        if hasattr(module, "decode_weights"):
            decode = module.decode_weights

            def decoded(*arguments, decode=decode, **options):
                groups = ((), ("large", "large"), ("fc.weight",) * 300_000, ("fc.bias", "fc.bias"))
                return dataclasses.replace(decode(*arguments, **options), aliases=groups)

            module.decode_weights = decoded
        for each in list(vars(module).values()):
            if isinstance(each, type) and "describe" in vars(each):
                each.describe = lambda *_: Said(torchinfo=10, torchinfo_error=None, mult_adds=1, layers=[])
    return 4


class StudentNet(Honest):
    lied = lie()

    def __init__(self):
        super().__init__()
        self.large = nn.Parameter(torch.zeros(5000))

    def forward(self, x):
        return super().forward(x) + 0 * self.large.sum()
