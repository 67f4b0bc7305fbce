# Reaches for the parts of the kernel with the most holes: bpf, perf, userfaultfd, kexec, modules.
# expect: graded
from attack import Attack, attempt, syscall

BPF, PERF_EVENT_OPEN, USERFAULTFD, MEMFD_SECRET, PERSONALITY, MODIFY_LDT = 321, 298, 323, 447, 135, 154
OPEN_BY_HANDLE_AT, INIT_MODULE, LANDLOCK = 304, 175, 444


class StudentNet(Attack):
    def attack(self):
        attributes = (1).to_bytes(4, "little") + (4).to_bytes(4, "little") * 2 + (1).to_bytes(4, "little") + b"\0" * 104
        attempt("bpf", syscall, BPF, 0, attributes, 120)
        event = (1).to_bytes(4, "little") + (112).to_bytes(4, "little") + b"\0" * 104
        attempt("perf", syscall, PERF_EVENT_OPEN, event, 0, -1, -1, 0)
        attempt("userfaultfd", syscall, USERFAULTFD, 1)
        attempt("secret memory", syscall, MEMFD_SECRET, 0)
        attempt("personality", syscall, PERSONALITY, 0x0400000)
        attempt("local descriptor table", syscall, MODIFY_LDT, 0, b"\0" * 64, 64)
        for name, number, arguments in (
            ("open by handle", OPEN_BY_HANDLE_AT, (-100, b"\x08\0\0\0\1\0\0\0" + b"\0" * 8, 0)),
            ("init_module", INIT_MODULE, (0, 0, b"")),
        ):
            attempt(name, self.refused, number, *arguments)

    def refused(self, number, *arguments):
        """Any answer but a refusal means that the kernel went to work."""
        try:
            return syscall(number, *arguments)
        except PermissionError:
            raise
        except OSError as error:
            if error.errno == 38:  # no such call
                raise
            return error
