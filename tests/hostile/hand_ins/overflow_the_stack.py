# Recurses in C until the stack ends.
# expect: crashed
import sys

from attack import Attack


class StudentNet(Attack):
    def attack(self):
        sys.setrecursionlimit(10**9)
        nested = []
        for _ in range(200_000):
            nested = [nested]
        repr(nested)
