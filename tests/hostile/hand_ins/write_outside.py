# Writes, replaces, renames and removes files outside.
# expect: graded
# everywhere: root may write everywhere
import os

from attack import Attack, attempt, syscall
from targets import CLASS, HOME, OUTSIDE, TEMPORARY


class StudentNet(Attack):
    def attack(self):
        for folder in (OUTSIDE, CLASS, HOME, TEMPORARY):
            attempt(f"a new file in {folder}", os.open, f"{folder}/written-by-write_outside", os.O_CREAT | os.O_WRONLY)
            attempt(f"a new folder in {folder}", os.mkdir, f"{folder}/made-by-write_outside")
            attempt(f"a fifo in {folder}", os.mkfifo, f"{folder}/fifo-by-write_outside")
            attempt(f"a link in {folder}", os.symlink, "/", f"{folder}/link-by-write_outside")
            attempt(f"an unnamed file in {folder}", os.open, folder, os.O_TMPFILE | os.O_RDWR)
        attempt("append", os.open, f"{OUTSIDE}/writable.txt", os.O_WRONLY | os.O_APPEND)
        attempt("truncate", os.truncate, f"{OUTSIDE}/writable.txt", 0)
        attempt("open and truncate", os.open, f"{OUTSIDE}/writable.txt", os.O_WRONLY | os.O_TRUNC)
        attempt("rename", os.rename, f"{OUTSIDE}/writable.txt", f"{OUTSIDE}/renamed-by-write_outside")
        attempt("hard link", os.link, f"{OUTSIDE}/writable.txt", f"{OUTSIDE}/linked-by-write_outside")
        attempt("remove", os.unlink, f"{OUTSIDE}/removable.txt")
        attempt("remove a folder", os.rmdir, f"{OUTSIDE}/empty")
