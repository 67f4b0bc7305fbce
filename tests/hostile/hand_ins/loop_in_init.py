# Loops for ever while it is built.
# expect: timed_out
# reason: stopped after \d+ s while building the network
from attack import Attack


class StudentNet(Attack):
    def attack(self):
        while True:
            pass
