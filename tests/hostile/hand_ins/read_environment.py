# Looks for the grader's secrets in every environment it can reach.
# expect: graded
import ctypes
import os

from attack import Attack, attempt, content, libc, say
from targets import CANARY, GRADER


class StudentNet(Attack):
    def attack(self):
        environ = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, "environ")
        raw = []
        while environ and environ[len(raw)] is not None:
            raw.append(environ[len(raw)].decode(errors="replace"))
        seen = " ".join(raw) + repr(dict(os.environ)) + self.of("self")
        say(seen)  # the test looks for the secret in what was printed
        if "HOSTILE" in seen:
            say("BREACH: the grader's environment was inherited")
        for pid in (CANARY, GRADER, os.getppid(), 1):
            if pid not in (0, os.getpid()) and "HOSTILE" in self.of(pid):
                say(f"BREACH: the environment of process {pid}: {self.of(pid)}"[:300])

    def of(self, pid):
        try:
            return open(f"/proc/{pid}/environ", "rb").read().replace(b"\0", b" ").decode(errors="replace")
        except OSError as error:
            return f"held: {error}"
