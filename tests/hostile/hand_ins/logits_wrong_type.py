# Answers with whole numbers, which is odd but tells the same classes.
# expect: graded
from attack import Honest


class StudentNet(Honest):
    def forward(self, x):
        return (super().forward(x) * 1e6).long()
