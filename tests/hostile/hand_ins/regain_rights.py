# Asks for rights back: user ids, capabilities, core dumps, limits.
# expect: graded
# everywhere: root has more to regain
import os
import resource

from attack import Attack, attempt, syscall

CAPSET, PRCTL = 126, 157


class StudentNet(Attack):
    def attack(self):
        attempt("user 0", os.setuid, 0)
        attempt("effective user 0", os.seteuid, 0)
        attempt("all three users", os.setresuid, 0, 0, 0)
        attempt("group 0", os.setresgid, 0, 0, 0)
        attempt("groups", os.setgroups, [0])
        header = (0x20080522).to_bytes(4, "little") + b"\0" * 4
        attempt("capabilities", syscall, CAPSET, header, b"\xff" * 24)
        attempt("gaining by exec", syscall, PRCTL, 38, 0, 0, 0, 0)
        attempt("open files", resource.setrlimit, resource.RLIMIT_NOFILE, (1 << 20, 1 << 20))
        attempt("core dumps", resource.setrlimit, resource.RLIMIT_CORE, (1 << 20, 1 << 20))
        attempt("address space", resource.setrlimit, resource.RLIMIT_AS, (-1, -1))
