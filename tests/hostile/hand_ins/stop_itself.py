# Stops itself, so that it neither works nor ends.
# expect: timed_out|crashed
# reason: stopped after \d+ s while building the network|PermissionError
import os
import signal

from attack import Attack


class StudentNet(Attack):
    def attack(self):
        os.kill(os.getpid(), signal.SIGSTOP)
