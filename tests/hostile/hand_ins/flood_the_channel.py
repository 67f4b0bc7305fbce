# Floods the channel with noise (at most 256 MB).
# expect: crashed
# reason: wrote over its own answers
import os
import stat

from attack import Attack


class StudentNet(Attack):
    def attack(self):
        noise = os.urandom(1 << 16)
        for descriptor in range(3, 64):
            try:
                while stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                    for _ in range(4096):
                        os.write(descriptor, noise)
                    break
            except OSError:
                pass
