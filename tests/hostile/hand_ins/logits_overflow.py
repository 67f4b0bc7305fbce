# Answers with doubles that no single-precision number can hold.
# expect: rejected
# reason: NaN or infinite logits for all 64 images
from attack import Honest


class StudentNet(Honest):
    def forward(self, x):
        return super().forward(x).double() * 1e300
