# Stores into the images' own memory: they are mapped read-only, so that this is the end of the process. Only a network
# that cannot be traced gets to see them.
# expect: crashed
# reason: killed by SIGSEGV while running forward
import ctypes
import sys

from attack import Honest


class StudentNet(Honest):
    def forward(self, x):
        frame = sys._getframe()
        while frame and len(x) > 2:
            for value in list(frame.f_locals.values()):
                if str(getattr(value, "dtype", "")) == "torch.uint8":
                    ctypes.memset(value.data_ptr(), 255, value.numel())
                    print("BREACH: the images were overwritten", flush=True)
            frame = frame.f_back
        return super().forward(x) if float(x.sum()) < 1e30 else x
