# Ends the process in the middle of a pass, politely.
# expect: crashed
# reason: ended while running forward
import os

from attack import Honest


class StudentNet(Honest):
    def forward(self, x):
        if len(x) > 2:
            os._exit(0)
        return super().forward(x)
