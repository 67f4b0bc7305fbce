# Sleeps in C without giving up the interpreter lock: no signal handler of Python's and no thread ever runs again.
# expect: timed_out
# reason: stopped after \d+ s while running forward
import ctypes

from attack import Honest


class StudentNet(Honest):
    def forward(self, x):
        if len(x) > 2:
            ctypes.PyDLL(None).sleep(60)
        return super().forward(x)
