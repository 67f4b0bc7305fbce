# Wants to outlive the grader: forgets the death signal, leads its own session, forks, ignores everything, in C.
import contextlib
import ctypes
import os
import signal

from attack import Attack, syscall

PRCTL, SET_PDEATHSIG = 157, 1


class StudentNet(Attack):
    def attack(self):
        for action in (os.setsid, lambda: syscall(PRCTL, SET_PDEATHSIG, 0, 0, 0, 0), os.fork, os.setsid, os.fork):
            with contextlib.suppress(OSError):
                action()
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
        for descriptor in (0, 1, 2):
            os.close(descriptor)
        ctypes.PyDLL(None).sleep(60)
        os._exit(0)
