# Answers with doubles that no single-precision number can hold.
# expect: graded
# accuracy: any
from attack import Honest


class StudentNet(Honest):
    def forward(self, x):
        return super().forward(x).double() * 1e300
