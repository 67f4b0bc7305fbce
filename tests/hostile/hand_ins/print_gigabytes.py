# Prints a gigabyte.
# expect: graded
# silent: nothing of it need be kept
import os

from attack import Attack


class StudentNet(Attack):
    def attack(self):
        line = b"x" * (1 << 20)
        for _ in range(1024):
            os.write(1, line)
