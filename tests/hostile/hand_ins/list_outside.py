# Lists folders outside, by name and through file handles.
# expect: graded
import os

from attack import Attack, attempt
from targets import CLASS, DATA, HOME, OUTSIDE, TEMPORARY


class StudentNet(Attack):
    def attack(self):
        for folder in (OUTSIDE, CLASS, DATA, HOME, TEMPORARY, "/home", "/var/log", "/etc/ssl"):
            attempt(f"listing {folder}", os.listdir, folder)
            attempt(f"opening {folder}", os.open, folder, os.O_RDONLY | os.O_DIRECTORY)
