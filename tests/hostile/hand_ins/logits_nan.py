# Answers with NaN.
# expect: rejected
# reason: NaN or infinite logits for 64 of 64 images
from attack import Honest


class StudentNet(Honest):
    def forward(self, x):
        return super().forward(x) * float("nan")
