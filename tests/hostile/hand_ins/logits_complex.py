# Answers with complex numbers.
# expect: graded
import torch
from attack import Honest


class StudentNet(Honest):
    def forward(self, x):
        return torch.complex(super().forward(x), torch.ones(len(x), 4))
