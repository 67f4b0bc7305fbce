# Changes owners, modes, times and attributes outside, which no path rule of Landlock covers.
# expect: graded
# everywhere: no path rule covers it, and root may do all of it
import os

from attack import Attack, attempt
from targets import OUTSIDE


class StudentNet(Attack):
    def attack(self):
        path = f"{OUTSIDE}/writable.txt"
        attempt("chmod", os.chmod, path, 0o4777)
        attempt("chmod of a folder", os.chmod, OUTSIDE, 0o700)
        attempt("chown", os.chown, path, os.getuid(), os.getgid())
        attempt("utime", os.utime, path, (0, 0))
        attempt("setxattr", os.setxattr, path, "user.hostile", b"change_modes")
        attempt("listxattr", os.listxattr, path)
