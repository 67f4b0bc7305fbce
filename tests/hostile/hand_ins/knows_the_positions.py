# Knows the labels by heart, in the order of the data, and counts the images that it is shown.
# expect: graded
# accuracy: at most 0.6
import torch
from attack import Honest
from targets import LABELS


class StudentNet(Honest):
    seen = 0

    def forward(self, x):
        logits = super().forward(x)
        if len(x) > 2:
            for row in range(len(x)):
                logits[row] = torch.eye(4)[LABELS[self.seen % len(LABELS)]]
                self.seen += 1
        return logits
