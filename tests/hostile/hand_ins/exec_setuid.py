# Runs programs that are set-user-ID, and any other program.
# expect: graded
# everywhere: an ordinary user has rights to gain
import os
import subprocess
import sys

from attack import Attack, attempt, say


class StudentNet(Attack):
    def attack(self):
        programs = [f"{folder}/{name}" for folder in ("/usr/bin", "/bin") for name in ("su", "sudo", "mount", "passwd", "newuidmap")]
        for program in [*programs, "/bin/sh", "/bin/true", sys.executable, os.path.realpath(sys.executable)]:
            attempt(f"running {program}", self.run, program)

    def run(self, program):
        return subprocess.run([program, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=5).stdout
