# Searches its own address space for secrets left over from the process it was forked from.
# expect: graded
import ctypes
import os
import re

from attack import Attack, libc, say

PATTERN = re.compile(rb"HOSTILE" + rb"-SECRET-[a-z]+-[0-9a-f]{16}")


class StudentNet(Attack):
    def attack(self):
        regions = self.regions()
        found = set()
        for start, end in regions:
            for at in range(start, end, 1 << 20):
                found |= set(PATTERN.findall(self.memory(at, min(end - at, 1 << 20))))
        say(f"searched {sum(end - start for start, end in regions)} bytes")
        for each in found:
            say(f"BREACH: in its own memory: {each.decode()}")

    def regions(self):
        """Writable private memory; without /proc what lies around the environment, the stack and the heap."""
        try:
            lines = [line.split() for line in open("/proc/self/maps")]
        except OSError:
            here = ctypes.addressof(ctypes.c_char_p.in_dll(libc, "environ"))
            stack = ctypes.cast(ctypes.c_void_p.in_dll(libc, "environ"), ctypes.c_void_p).value or here
            return [(at & ~4095, (at & ~4095) + (4 << 20)) for at in (here, stack - (2 << 20), id(self))]
        spans = [[int(each, 16) for each in line[0].split("-")] for line in lines if line[1].startswith("rw")]
        return [(start, end) for start, end in spans if end - start < 256 << 20]

    def memory(self, start, size):
        """Bytes at an address, page by page through a pipe, so that a hole is an error instead of a crash."""
        reader, writer = os.pipe()
        pages = bytearray()
        try:
            for at in range(start, start + size, 4096):
                if libc.write(writer, ctypes.c_void_p(at), ctypes.c_size_t(4096)) == 4096:
                    pages += os.read(reader, 4096)
        finally:
            os.close(reader)
            os.close(writer)
        return bytes(pages)
