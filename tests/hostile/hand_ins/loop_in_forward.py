# Loops for ever, but only on real batches.
# expect: timed_out
# reason: stopped after \d+ s while running forward
from attack import Honest


class StudentNet(Honest):
    def forward(self, x):
        while len(x) > 2:
            pass
        return super().forward(x)
