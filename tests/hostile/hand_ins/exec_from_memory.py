# Runs a program that never lay in any file system: from a memfd.
# expect: graded
import os

from attack import Attack, attempt, say


class StudentNet(Attack):
    def attack(self):
        attempt("a program in memory", self.run)

    def run(self):
        descriptor = os.memfd_create("program", 0)
        # The smallest useful ELF file there is: exit(42).
        code = bytes.fromhex("b83c000000bf2a0000000f05")
        header = bytes.fromhex("7f454c4602010100000000000000000002003e0001000000780040000000000040000000000000000000000000000000000000004000380001000000000000000100000005000000") + b"\0" * 8
        header += (0x400000).to_bytes(8, "little") * 2
        size = len(header) + 24 + len(code)
        header += size.to_bytes(8, "little") * 2 + (0x1000).to_bytes(8, "little")
        os.write(descriptor, header + code)
        child = os.posix_spawn(f"/proc/self/fd/{descriptor}", ["program"], {})
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
