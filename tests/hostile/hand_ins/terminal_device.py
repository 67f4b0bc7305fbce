# Reaches for the terminal from which grading was started, and types into it.
# expect: graded
import fcntl
import os

from attack import Attack, attempt, say

TIOCSTI = 0x5412


class StudentNet(Attack):
    def attack(self):
        attempt("the controlling terminal", os.open, "/dev/tty", os.O_RDWR | os.O_NOCTTY)
        for descriptor in (0, 1, 2):
            if os.isatty(descriptor):
                say(f"BREACH: descriptor {descriptor} is a terminal")
            attempt("typing", fcntl.ioctl, descriptor, TIOCSTI, b"x")
