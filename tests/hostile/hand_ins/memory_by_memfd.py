# Fills files that exist only in memory and are mapped by nobody (at most 720 MB).
# expect: graded
import os

from attack import Attack, say


class StudentNet(Attack):
    def attack(self):
        kept = 0
        try:
            for number in range(12):
                os.posix_fallocate(os.memfd_create(f"memory-{number}"), 0, 60 << 20)
                kept += 60 << 20
        except OSError as error:
            say(f"held: {error}")
        say(f"{kept >> 20} MiB")
        if kept > 640 << 20:
            say("BREACH: more memory than the limit, in memfds")
