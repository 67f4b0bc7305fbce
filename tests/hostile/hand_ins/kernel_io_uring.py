# Sets up io_uring, whose operations no system-call filter sees.
# expect: graded
from attack import Attack, attempt, syscall

IO_URING_SETUP, IO_SETUP = 425, 206


class StudentNet(Attack):
    def attack(self):
        attempt("io_uring", syscall, IO_URING_SETUP, 8, b"\0" * 120)
        attempt("aio", syscall, IO_SETUP, 1, b"\0" * 8)
