# Announces an answer of four exabytes.
# expect: crashed
# reason: wrote over its own answers
import os
import stat
import struct

from attack import Attack


class StudentNet(Attack):
    def attack(self):
        for descriptor in range(3, 64):
            try:
                if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                    os.write(descriptor, struct.pack("<IQ", 2**32 - 1, 2**62) + b"{" * 4096)
            except OSError:
                pass
