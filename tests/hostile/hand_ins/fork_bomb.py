# Forks until it is stopped (at most 200 times).
# expect: graded
import os
import time

from attack import Attack, attempt, say


class StudentNet(Attack):
    def attack(self):
        for number in range(200):
            if attempt(f"fork {number}", self.fork) is None:
                break

    def fork(self):
        child = os.fork()
        if child == 0:
            time.sleep(20)
            os._exit(0)
        return child
