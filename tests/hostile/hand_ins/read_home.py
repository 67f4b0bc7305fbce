# Reads the grader's home folder by every name it may have.
# expect: graded
# everywhere: it is the user's own
import os

from attack import Attack, attempt, content
from targets import HOME


class StudentNet(Attack):
    def attack(self):
        attempt("a key in the grader's home", content, f"{HOME}/.ssh/id_ed25519")
        attempt("the grader's home", os.listdir, HOME)
        attempt("the parent of homes", os.listdir, "/home")
        for path in ("/root/.bash_history", "/root/.ssh", "/etc/shadow", "/etc/passwd"):
            attempt(path, content, path)
        os.chdir("/")
        attempt("from the root folder", content, HOME.lstrip("/") + "/.ssh/id_ed25519")
