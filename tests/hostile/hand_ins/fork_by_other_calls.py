# Starts processes by vfork, clone, clone3 and posix_spawn.
# expect: graded
import os
import subprocess
import sys

from attack import Attack, attempt, syscall

CLONE, CLONE3, FORK = 56, 435, 57
SIGCHLD = 17


class StudentNet(Attack):
    def attack(self):
        attempt("the system call fork", self.child, FORK)
        attempt("clone", self.child, CLONE, SIGCHLD, 0, 0, 0, 0)
        attempt("clone with a parent in common", self.child, CLONE, SIGCHLD | 0x8000, 0, 0, 0, 0)
        arguments = (SIGCHLD).to_bytes(8, "little").join([b"\0" * 32, b"\0" * 24])
        attempt("clone3", self.child, CLONE3, arguments, 64)
        attempt("posix_spawn", os.posix_spawn, sys.executable, ["python", "-c", "pass"], {})
        attempt("subprocess", subprocess.run, [sys.executable, "-c", "pass"])

    def child(self, number, *arguments):
        pid = syscall(number, *arguments)
        if pid == 0:
            os._exit(0)
        return pid
