# Fills shared anonymous memory, which limits on data segments do not count (at most 3 GB).
# expect: out_of_memory
import mmap
import time

from attack import Attack


class StudentNet(Attack):
    def attack(self):
        kept = []
        try:
            for _ in range(48):
                kept.append(mmap.mmap(-1, 64 << 20))
                for at in range(0, 64 << 20, 4096):
                    kept[-1][at] = 1
        except OSError as error:
            raise MemoryError(str(error))
        print("BREACH: 3 GB were filled", flush=True)
