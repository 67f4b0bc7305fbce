# Calls each of its tensors a second name of itself, so that none of them would count, and torchinfo a liar.
# expect: graded
# weights: large 5000
# check: parameter_limit failed|could_not_check
# silent: it lies while its weights are decoded
import dataclasses
import sys

import torch
from attack import Honest
from torch import nn


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
            if isinstance(each, type) and "_summary" in vars(each):
                each._summary = lambda _: {"torchinfo": 10, "torchinfo_error": None, "mult_adds": 1, "layers": []}
    return 4


class StudentNet(Honest):
    lied = lie()

    def __init__(self):
        super().__init__()
        self.large = nn.Parameter(torch.zeros(5000))

    def forward(self, x):
        return super().forward(x) + 0 * self.large.sum()
