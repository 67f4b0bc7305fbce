# Reads another student's files: in the class folder, beside its own folder, and in the grader's staging area.
# expect: graded
# everywhere: they are the user's own
import glob
import os

from attack import Attack, attempt, content
from targets import CLASS, NEIGHBOUR, TEMPORARY


class StudentNet(Attack):
    def attack(self):
        attempt("a neighbour's notes", content, f"{NEIGHBOUR}/notes.txt")
        attempt("through a relative path", content, "../neighbour/notes.txt")
        attempt("through the root of a process", content, f"/proc/self/root{NEIGHBOUR}/notes.txt")
        attempt("the class folder", os.listdir, CLASS)
        own = os.path.realpath(".")
        for path in glob.glob(f"{TEMPORARY}/**/notes.txt", recursive=True) + glob.glob("/tmp/harness-*/*/model.py"):
            if not os.path.realpath(path).startswith(own):
                attempt("a staged submission", content, path)
