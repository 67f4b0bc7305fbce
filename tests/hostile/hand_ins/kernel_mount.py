# Mounts, changes roots, and reaches for the newer calls that do the same.
# expect: graded
from attack import Attack, attempt, syscall

MOUNT, UMOUNT, PIVOT_ROOT, CHROOT, OPEN_TREE, FSOPEN, FSPICK = 165, 166, 155, 161, 428, 430, 433


class StudentNet(Attack):
    def attack(self):
        # Its own folder is the only place that it may spoil should one of these work.
        attempt("mount", syscall, MOUNT, b"none", b".", b"tmpfs", 0, 0)
        attempt("bind", syscall, MOUNT, b".", b".", b"none", 4096, 0)
        attempt("remount", syscall, MOUNT, b"none", b".", b"none", 32, 0)
        attempt("umount", syscall, UMOUNT, b".", 2)
        attempt("pivot_root", syscall, PIVOT_ROOT, b".", b".")
        attempt("chroot", syscall, CHROOT, b".")
        attempt("open_tree", syscall, OPEN_TREE, -100, b".", 1)
        attempt("fsopen", syscall, FSOPEN, b"tmpfs", 0)
        attempt("fspick", syscall, FSPICK, -100, b".", 0)
