# Leaves session and process group, forgets the death signal, ignores every signal and goes on for ever.
# expect: timed_out
# reason: stopped after \d+ s while building the network
import os
import signal
import time

from attack import Attack, syscall

PRCTL, SET_PDEATHSIG = 157, 1


class StudentNet(Attack):
    def attack(self):
        for action in (os.setsid, lambda: os.setpgid(0, 0), lambda: syscall(PRCTL, SET_PDEATHSIG, 0, 0, 0, 0)):
            try:
                action()
            except OSError:
                pass
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
        while True:
            time.sleep(1)
