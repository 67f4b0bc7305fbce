# Calls a parameter by a name of twenty million characters.
# expect: rejected
# reason: the network has more than 5,000 tensors
import torch
from attack import Honest


class StudentNet(Honest):
    def __init__(self):
        super().__init__()
        self._parameters["x" * 20_000_000] = torch.nn.Parameter(torch.zeros(1))
