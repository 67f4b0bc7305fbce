# Answers differently every time it is asked.
# expect: graded
# accuracy: any
# check: integrity_batch failed
import os

import torch
from attack import Honest


class StudentNet(Honest):
    def forward(self, x):
        noise = torch.frombuffer(bytearray(os.urandom(4 * len(x))), dtype=torch.uint8).view(len(x), 4)
        return super().forward(x) + noise / 64.0
