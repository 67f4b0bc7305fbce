# Attaches a debugger to processes of the machine.
# expect: graded
# everywhere: an ordinary user may trace its own, and root all
import os

from attack import Attack, attempt, syscall
from targets import CANARY, GRADER

PTRACE, ATTACH, SEIZE, PEEKDATA = 101, 16, 0x4206, 2


class StudentNet(Attack):
    def attack(self):
        for pid in {CANARY, GRADER, os.getppid()} - {0}:
            attempt(f"seize {pid}", syscall, PTRACE, SEIZE, pid, 0, 0)
            attempt(f"attach to {pid}", syscall, PTRACE, ATTACH, pid, 0, 0)
            attempt(f"peek at {pid}", syscall, PTRACE, PEEKDATA, pid, 0x400000, 0)
