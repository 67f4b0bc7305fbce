# Closes every descriptor it has, the channel included, and keeps running.
# expect: crashed
import os
import time

from attack import Attack


class StudentNet(Attack):
    def attack(self):
        os.closerange(0, 1024)
        time.sleep(60)
