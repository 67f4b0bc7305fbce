# Would replace the decoded weights by thousands of tensors, but they were decoded where none of this runs.
# expect: graded
# silent: what it replaces is not asked again
import sys

import torch
from attack import Honest


def lie():
    for name, module in list(sys.modules.items()):
        if name.startswith("harness.worker") and hasattr(module, "decode_weights"):
            decode = module.decode_weights

            def decoded(*arguments, decode=decode, **options):
                found = decode(*arguments, **options)
                found.tensors.update({f"\ud800{number}" + "x" * 500: torch.zeros(1) for number in range(20_000)})
                return found

            module.decode_weights = decoded
    return 4


class StudentNet(Honest):
    lied = lie()
