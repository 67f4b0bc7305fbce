# Looks at every descriptor it was born with.
# expect: graded
import os
import stat

from attack import Attack, say


class StudentNet(Attack):
    def attack(self):
        sockets = 0
        for descriptor in range(1024):
            try:
                info = os.fstat(descriptor)
            except OSError:
                continue
            kind = stat.S_IFMT(info.st_mode)
            say(f"descriptor {descriptor}: {kind:o} {info.st_dev}:{info.st_ino} {info.st_size} bytes")
            sockets += kind == stat.S_IFSOCK
            # Memory without a name has no links; everything else came out of a folder.
            if kind == stat.S_IFDIR or kind == stat.S_IFREG and info.st_nlink > 0:
                say(f"BREACH: descriptor {descriptor} leads to a file or folder")
            if kind == stat.S_IFBLK:
                say(f"BREACH: descriptor {descriptor} is a disk")
        if sockets > 1:
            say(f"BREACH: {sockets} sockets where one is enough")
