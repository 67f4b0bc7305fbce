# Closes its standard streams, and puts something else in their place.
# expect: graded
# silent: it has nowhere to say anything
import os
import sys

from attack import Honest


class StudentNet(Honest):
    def __init__(self):
        super().__init__()
        for descriptor in (0, 1, 2):
            os.close(descriptor)
        sys.stdout = sys.stderr = sys.stdin = None
