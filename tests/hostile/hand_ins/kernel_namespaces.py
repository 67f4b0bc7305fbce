# Makes namespaces of its own, where it would be root, and enters those of others.
# expect: graded
# everywhere: root needs no user namespace for them
import os

from attack import Attack, attempt, syscall
from targets import CANARY

UNSHARE, SETNS = 272, 308
KINDS = {"mount": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000,
         "pid": 0x20000000, "net": 0x40000000, "time": 0x80}


class StudentNet(Attack):
    def attack(self):
        for kind, flag in KINDS.items():
            attempt(f"a {kind} namespace of its own", syscall, UNSHARE, flag)
        for kind in ("mnt", "net", "user", "pid"):
            attempt(f"the {kind} namespace of another", self.enter, f"/proc/{CANARY}/ns/{kind}")

    def enter(self, path):
        return syscall(SETNS, os.open(path, os.O_RDONLY), 0)
