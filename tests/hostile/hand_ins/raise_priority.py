# Raises its own priority above everyone's.
# expect: graded
# everywhere: root may
import os

from attack import Attack, attempt, syscall

SCHED_SETSCHEDULER, SETPRIORITY = 144, 141


class StudentNet(Attack):
    def attack(self):
        attempt("a real-time scheduler", syscall, SCHED_SETSCHEDULER, 0, 1, (1).to_bytes(4, "little"))
        attempt("a better priority", syscall, SETPRIORITY, 0, 0, -10)
        attempt("a better place in front of the killer", self.unkillable)

    def unkillable(self):
        with open("/proc/self/oom_score_adj", "w") as file:
            return file.write("-1000")
