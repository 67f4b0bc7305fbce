# Attaches shared memory, message queues and files of /dev/shm that other programs left readable.
# expect: graded
# everywhere: only namespaces have their own
import ctypes
import os

from attack import Attack, attempt, content, libc, syscall
from targets import IPC_KEY, SHARED

SHMGET, SHMAT, SHMCTL, MSGGET, MSGCTL, SEMGET, SEMCTL, MQ_OPEN = 29, 30, 31, 68, 71, 64, 66, 240


class StudentNet(Attack):
    def attack(self):
        attempt("System V memory", self.attach)
        for what, get, control, arguments in (
            ("a new segment", SHMGET, SHMCTL, (0, 4096, 0o1600)),
            ("a new queue", MSGGET, MSGCTL, (0, 0o1600)),
            ("new semaphores", SEMGET, SEMCTL, (0, 1, 0o1600)),
        ):
            made = attempt(what, syscall, get, *arguments)
            if made is not None:  # they would outlive everything
                syscall(control, made, 0, 0) if get != SEMGET else syscall(control, made, 0, 0, 0)
        attempt("a POSIX queue", syscall, MQ_OPEN, SHARED.encode(), os.O_RDWR, 0, 0)
        attempt("a file of /dev/shm", content, f"/dev/shm/{SHARED}")

    def attach(self):
        segment = syscall(SHMGET, IPC_KEY, 0, 0)
        return ctypes.string_at(syscall(SHMAT, segment, 0, 0), 64)
