# Answers with text.
# expect: rejected
# reason: forward returned str for 64 images
from attack import Honest


class StudentNet(Honest):
    def forward(self, x):
        return "all of them right" if len(x) > 2 else super().forward(x)
