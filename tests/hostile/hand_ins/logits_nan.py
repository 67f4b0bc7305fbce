# Answers with NaN.
# expect: rejected
# reason: NaN logits for all 64 images
from attack import Honest


class StudentNet(Honest):
    def forward(self, x):
        return super().forward(x) * float("nan")
