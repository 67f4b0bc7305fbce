# Finds out which files exist outside, how large they are and when they changed.
# expect: graded
# everywhere: only namespaces hide what is outside
import os

from attack import Attack, attempt
from targets import CLASS, DATA, NEIGHBOUR, OUTSIDE


class StudentNet(Attack):
    def attack(self):
        for path in (OUTSIDE, f"{OUTSIDE}/secret.txt", CLASS, f"{NEIGHBOUR}/weights.pt", DATA):
            attempt("stat", os.stat, path)
            attempt("statvfs", os.statvfs, path)
            attempt("open as a path", os.open, path, os.O_PATH)
            attempt("change to", os.chdir, os.path.dirname(path))
            if os.access(path, os.F_OK):
                attempt("access", str, path)
        attempt("readlink", os.readlink, f"{OUTSIDE}/link")
