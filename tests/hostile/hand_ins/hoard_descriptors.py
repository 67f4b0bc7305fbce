# Opens files until there are no descriptors left for what it is sent.
# expect: crashed
import os

from attack import Attack


class StudentNet(Attack):
    def attack(self):
        try:
            for _ in range(5000):
                os.dup(0)
            print("BREACH: 5,000 descriptors", flush=True)
        except OSError:
            pass
