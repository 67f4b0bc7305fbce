# Opens other processes by pidfd, takes their descriptors and kills them through it.
# expect: graded
import os

from attack import Attack, attempt, syscall
from targets import CANARY, GRADER

PIDFD_OPEN, PIDFD_GETFD, PIDFD_SEND_SIGNAL, MADVISE = 434, 438, 424, 440


class StudentNet(Attack):
    def attack(self):
        for pid in {CANARY, GRADER, os.getppid()} - {0}:
            pidfd = attempt(f"open {pid}", syscall, PIDFD_OPEN, pid, 0)
            if pidfd is not None:
                for descriptor in range(8):
                    attempt(f"take descriptor {descriptor} of {pid}", syscall, PIDFD_GETFD, pidfd, descriptor, 0)
                attempt(f"signal {pid}", syscall, PIDFD_SEND_SIGNAL, pidfd, 15 if pid == CANARY else 0, 0, 0)
