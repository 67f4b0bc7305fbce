# Reads and writes the memory of other processes directly, and compares them with its own.
# expect: graded
import ctypes
import os

from attack import Attack, attempt, libc, syscall
from targets import CANARY, GRADER

READV, WRITEV, KCMP = 310, 311, 312


class StudentNet(Attack):
    def attack(self):
        buffer = ctypes.create_string_buffer(64)
        local = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 64)
        # The loader puts the C library at one address in all children of one process.
        remote = (ctypes.c_size_t * 2)(ctypes.cast(libc.getpid, ctypes.c_void_p).value, 64)
        for pid in {CANARY, GRADER, os.getppid()} - {0}:
            for number in (READV, WRITEV):
                arguments = (pid, ctypes.addressof(local), 1, ctypes.addressof(remote), 1, 0)
                attempt(f"call {number} on {pid}", syscall, number, *arguments)
            attempt(f"kcmp with {pid}", syscall, KCMP, os.getpid(), pid, 1, 0, 0)
