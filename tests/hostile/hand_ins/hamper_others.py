# Lowers the limits, priority and processors of other processes.
# expect: graded
# everywhere: one's own processes may be hampered, and root's are all
import os
import resource

from attack import Attack, attempt, syscall
from targets import CANARY, GRADER

SCHED_SETAFFINITY, SCHED_SETSCHEDULER, IOPRIO_SET, SETPRIORITY, PRLIMIT, MIGRATE_PAGES = 203, 144, 251, 141, 302, 256


class StudentNet(Attack):
    def attack(self):
        attempt("prlimit", resource.prlimit, CANARY, resource.RLIMIT_NOFILE, (7, 7))
        attempt("limits of the grader", resource.prlimit, GRADER, resource.RLIMIT_NOFILE)
        attempt("nice", syscall, SETPRIORITY, 0, CANARY, 19)
        attempt("processors", syscall, SCHED_SETAFFINITY, CANARY, 8, (1).to_bytes(8, "little"))
        attempt("scheduler", syscall, SCHED_SETSCHEDULER, CANARY, 5, b"\0\0\0\0")
        attempt("disk priority", syscall, IOPRIO_SET, 1, CANARY, 3 << 13)
        attempt("migrate", syscall, MIGRATE_PAGES, CANARY, 8, b"\1" + b"\0" * 7, b"\1" + b"\0" * 7)
        attempt("sacrifice", self.sacrifice)
        parent = os.getppid()
        if parent > 0:
            attempt("limits of the parent", resource.prlimit, parent, resource.RLIMIT_NOFILE, (300, 300))
            attempt("processors of the parent", syscall, SCHED_SETAFFINITY, parent, 8, (1).to_bytes(8, "little"))

    def sacrifice(self):
        with open(f"/proc/{CANARY}/oom_score_adj", "w") as file:
            return file.write("1000")
