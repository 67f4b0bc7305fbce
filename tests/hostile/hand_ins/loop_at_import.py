# Loops for ever where its class is defined.
# expect: timed_out
# reason: stopped after \d+ s while importing the submission
from attack import Honest


class StudentNet(Honest):
    while True:
        pass
