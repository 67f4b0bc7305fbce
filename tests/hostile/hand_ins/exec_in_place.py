# Replaces itself by a fresh Python, through the loader too: whatever was set up inside the process is gone then.
# expect: graded
import glob
import os
import sys

from attack import Attack, attempt, syscall

EXECVEAT = 322


class StudentNet(Attack):
    def attack(self):
        code = "print('BREACH: replaced itself', flush=True)"
        attempt("exec", os.execv, sys.executable, [sys.executable, "-c", code])
        for loader in glob.glob("/lib64/ld-linux*"):
            attempt("exec through the loader", os.execv, loader, [loader, sys.executable, "-c", code])
        attempt("exec of a descriptor", self.execveat)

    def execveat(self):
        descriptor = os.open(os.path.realpath(sys.executable), os.O_RDONLY)
        return syscall(EXECVEAT, descriptor, b"", 0, 0, 0x1000)
