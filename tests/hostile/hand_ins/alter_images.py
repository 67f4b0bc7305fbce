# Overwrites the images that all submissions share, through every descriptor and a changed protection.
# expect: graded
import mmap
import os
import sys

from attack import Honest, attempt, say, syscall

FALLOCATE, MPROTECT = 285, 10


class StudentNet(Honest):
    tried = False

    def forward(self, x):
        if len(x) > 2 and not StudentNet.tried:
            StudentNet.tried = True
            self.attack()
            say("attacked")
        return super().forward(x)

    def attack(self):
        pixels = self.pixels()
        say(f"pixels found: {pixels is not None}")
        if pixels is not None:
            page = pixels.data_ptr() & ~4095
            attempt("make the mapping writable", syscall, MPROTECT, page, 4096, 3)
        size = 0 if pixels is None else pixels.numel()
        for descriptor in range(3, 64):
            try:
                length = os.fstat(descriptor).st_size
            except OSError:
                continue
            # The space for logits may be written; what is as long as the images may not.
            if length >= size > 0:
                say(f"descriptor {descriptor}: {length} bytes")
                attempt("write", os.pwrite, descriptor, b"\xff" * 64, 0)
                attempt("map writable", mmap.mmap, descriptor, length, mmap.MAP_SHARED, mmap.PROT_WRITE)
                attempt("shrink", os.ftruncate, descriptor, 0)
                attempt("punch a hole", syscall, FALLOCATE, descriptor, 3, 0, 4096)
                attempt("write through a new descriptor", self.reopened, descriptor)

    def reopened(self, descriptor):
        again = os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR)
        try:
            return os.pwrite(again, b"\xff" * 64, 0)
        finally:
            os.close(again)

    def pixels(self):
        frame = sys._getframe()
        while frame:
            for value in frame.f_locals.values():
                if "Tensor" in type(value).__name__ and str(getattr(value, "dtype", "")) == "torch.uint8":
                    return value
            frame = frame.f_back
        return None
