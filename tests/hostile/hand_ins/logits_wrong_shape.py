# Answers with a number of rows that depends on the batch.
# expect: rejected
# reason: forward returned \[65, 4\] for 64 images; expected logits of shape \[64, 4\]
import torch
from attack import Honest


class StudentNet(Honest):
    def forward(self, x):
        rows = super().forward(x)
        return torch.cat([rows, rows[:1]]) if len(x) > 2 else rows
