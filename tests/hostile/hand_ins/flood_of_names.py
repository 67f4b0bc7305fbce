# Has tens of thousands of tensors that the weights file lacks, with names alike.
# expect: rejected
# reason: the network has more than 5,000 tensors
import torch
from attack import Honest


class StudentNet(Honest):
    def __init__(self):
        super().__init__()
        for number in range(30_000):
            self._buffers[f"fc_weight_{number}_{'x' * 60}"] = torch.zeros(1)
