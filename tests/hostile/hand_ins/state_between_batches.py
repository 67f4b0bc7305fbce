# Answers by what it has seen before, not by the image alone.
# expect: graded
# accuracy: any
# check: integrity_batch failed
import torch
from attack import Honest


class StudentNet(Honest):
    seen = torch.zeros(192)

    def forward(self, x):
        flat = x.flatten(1)
        StudentNet.seen = StudentNet.seen + 0.1 * flat.mean(0)
        return self.fc(flat - StudentNet.seen)
