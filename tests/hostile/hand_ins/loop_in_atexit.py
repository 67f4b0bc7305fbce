# Loops for ever when the interpreter ends.
# expect: graded
import atexit
import threading

from attack import Attack


def forever():
    while True:
        pass


class StudentNet(Attack):
    def attack(self):
        atexit.register(forever)
        threading._register_atexit(forever)
