# Answers with a tensor that claims a thousand billion rows and holds one number.
# expect: rejected
# reason: forward returned \[1000000000000, 4\] for 64 images
import torch
from attack import Honest


class StudentNet(Honest):
    def forward(self, x):
        return torch.zeros(1).expand(10**12, 4) if len(x) > 2 else super().forward(x)
