# Loops for ever in __del__ of an object that lives until the interpreter ends.
# expect: graded
import sys

from attack import Attack


class Undead:
    def __del__(self):
        while True:
            pass


class StudentNet(Attack):
    def attack(self):
        sys.modules["undead"] = Undead()
