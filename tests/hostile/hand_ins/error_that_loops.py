# Raises an error whose text never ends.
# expect: timed_out
# reason: stopped after \d+ s while building the network
from attack import Attack


class Endless(Exception):
    def __str__(self):
        while True:
            pass


class StudentNet(Attack):
    def attack(self):
        raise Endless
