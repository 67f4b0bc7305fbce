# Watches folders outside by inotify and fanotify: the names of what others write tell a lot.
# expect: graded
from attack import Attack, attempt, libc, syscall
from targets import OUTSIDE, TEMPORARY

INOTIFY_INIT1, INOTIFY_ADD_WATCH, FANOTIFY_INIT = 294, 254, 300


class StudentNet(Attack):
    def attack(self):
        for folder in (OUTSIDE, TEMPORARY):
            attempt(f"inotify on {folder}", self.watch, folder)
        attempt("fanotify", syscall, FANOTIFY_INIT, 0x200, 0)

    def watch(self, folder):
        return syscall(INOTIFY_ADD_WATCH, syscall(INOTIFY_INIT1, 0), folder.encode(), 0xFFF)
