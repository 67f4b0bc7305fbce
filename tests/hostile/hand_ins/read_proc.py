# Reads the memory, files, command line and roots of other processes through /proc.
# expect: graded
# everywhere: only namespaces hide other processes
import os

from attack import Attack, attempt, content
from targets import CANARY, GRADER, OUTSIDE


class StudentNet(Attack):
    def attack(self):
        for pid in (CANARY, GRADER):
            for name in ("environ", "cmdline", "maps", "mem", "stack", "status", "io", "auxv"):
                attempt(f"{name} of another process", content, f"/proc/{pid}/{name}")
            for name in ("fd", "task", "map_files", "net"):
                attempt(f"{name} of another process", os.listdir, f"/proc/{pid}/{name}")
            attempt("a file through another's root", content, f"/proc/{pid}/root{OUTSIDE}/secret.txt")
            attempt("a file through another's folder", content, f"/proc/{pid}/cwd/secret.txt")
        parent = os.getppid()
        if parent > 1:
            attempt("memory of the parent", content, f"/proc/{parent}/mem")
            attempt("descriptors of the parent", os.listdir, f"/proc/{parent}/fd")
