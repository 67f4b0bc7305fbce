# Kills a process of the machine, and finds out which others it could kill.
# expect: graded
# everywhere: an ordinary user may kill its own, and root all
import os
import signal

from attack import Attack, attempt, say, syscall
from targets import CANARY, GRADER

TGKILL, QUEUE = 234, 129


class StudentNet(Attack):
    def attack(self):
        attempt("kill", os.kill, CANARY, signal.SIGKILL)
        attempt("kill one thread", syscall, TGKILL, CANARY, CANARY, 9)
        attempt("kill a group", os.killpg, CANARY, signal.SIGKILL)
        attempt("signal the grader", os.kill, GRADER, 0)
        near = [pid for pid in range(2, os.getpid() + 400) if self.reaches(pid)]
        if near:
            say(f"BREACH: could signal {near[:20]}")

    def reaches(self, pid):
        """Signal 0 does nothing but say whether another would arrive."""
        try:
            os.kill(pid, 0)
        except OSError:
            return False
        try:  # threads of this process answer to their own numbers too
            syscall(TGKILL, os.getpid(), pid, 0)
        except OSError:
            return True
        return False
