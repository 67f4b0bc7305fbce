# Calls the kernel by the numbers of its x32 interface, which naive filters let through.
# expect: graded|crashed
# reason: killed by SIGSYS
# silent: a filter may end the process at the first such call
import os

from attack import Attack, attempt, syscall

X32 = 0x40000000
SOCKET, FORK, MEMFD_CREATE, UNSHARE, EXECVE = 41, 57, 319, 272, 520


class StudentNet(Attack):
    def attack(self):
        attempt("socket", syscall, X32 + SOCKET, 2, 1, 0)
        attempt("memfd_create", syscall, X32 + MEMFD_CREATE, b"x", 0)
        attempt("unshare", syscall, X32 + UNSHARE, 0x10000000)
        attempt("execve", syscall, X32 + EXECVE, b"/bin/true", 0, 0)
        attempt("fork", self.fork)

    def fork(self):
        pid = syscall(X32 + FORK)
        if pid == 0:
            os._exit(0)
        return pid
