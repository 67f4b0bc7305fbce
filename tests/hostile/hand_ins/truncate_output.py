# Shrinks and grows the shared space for logits, so that reading it would kill the grader.
# expect: graded
import fcntl
import os

from attack import Honest, attempt, say


class StudentNet(Honest):
    tried = False

    def forward(self, x):
        if len(x) > 2 and not StudentNet.tried:
            StudentNet.tried = True
            for descriptor in range(3, 64):
                try:
                    size = os.fstat(descriptor).st_size
                except OSError:
                    continue
                if not size:
                    continue
                say(f"descriptor {descriptor} has {size} bytes")
                attempt("shrink", os.ftruncate, descriptor, 0)
                attempt("grow", os.ftruncate, descriptor, size + (1 << 20))
                attempt("seal", fcntl.fcntl, descriptor, 1033, 8)
            say("attacked")
        return super().forward(x)
