"""Filter system calls: an allow-list of what a worker may make, compiled once by libseccomp.

Everything else fails as if it were forbidden (EPERM), so that Python reports it as a PermissionError with the line that
asked; calls of another architecture's numbering (32-bit, x32) end the process. Files are Landlock's and the mounts'
business: opening is allowed here. What is *not* here is the point: no new process, no exec, no socket, no signal, no
look into another process, no memory file, no mount, no key, no io_uring, no bpf.
"""

from __future__ import annotations

import tempfile
from functools import cache

from harness.errors import SandboxUnavailable

_FILES = """
access faccessat faccessat2 open openat openat2 close close_range read readv pread64 preadv preadv2 write writev
pwrite64 pwritev pwritev2 lseek stat lstat fstat newfstatat statx statfs fstatfs getdents getdents64 getcwd chdir
fchdir readlink readlinkat dup dup2 dup3 pipe pipe2 umask fadvise64 sendfile copy_file_range
"""
_WAITING = """
select pselect6 poll ppoll epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd eventfd2 nanosleep
clock_nanosleep sched_yield futex restart_syscall pause
"""
_MEMORY = "brk mmap munmap mremap mprotect madvise mincore membarrier msync get_mempolicy"
_THREADS = "set_robust_list get_robust_list rseq set_tid_address exit exit_group arch_prctl getcpu sched_getaffinity"
_SIGNALS = "rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending sigaltstack"
_FACTS = """
clock_gettime clock_getres gettimeofday time times getrusage getrlimit getpid getppid gettid getpgid getpgrp getsid
getuid geteuid getgid getegid getresuid getresgid getgroups uname sysinfo getrandom getpriority sched_getparam
sched_getscheduler sched_get_priority_max sched_get_priority_min
"""
# On the sockets it was given; it can make no other.
_CHANNEL = "sendto sendmsg recvfrom recvmsg shutdown getsockopt getsockname getpeername"
_CALLS = f"{_FILES} {_WAITING} {_MEMORY} {_THREADS} {_SIGNALS} {_FACTS} {_CHANNEL}"
_CLONE_THREAD = 0x10000
_SET_NAME, _GET_NAME, _SET_VMA = 15, 16, 0x53564D41
# Is it a terminal, how much is there to read, keep open or close at exec, block or not.
_IOCTLS = (0x5401, 0x541B, 0x5450, 0x5451, 0x5421)
# Duplicate, look at and set flags; not F_SETOWN and F_SETSIG, by which a descriptor sends any signal to anyone.
_FCNTLS = (0, 1, 2, 3, 4, 1030)


@cache
def compiled() -> bytes:
    """The program, as `seccomp(2)` takes it: an array of `struct sock_filter`.

    Raises:
        SandboxUnavailable: libseccomp, or its Python module, is missing.
    """
    try:
        import pyseccomp
    except (ImportError, RuntimeError) as error:
        raise SandboxUnavailable(f"no system-call filter: {error} (apt install libseccomp2)") from error
    import errno

    rules = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.EPERM))
    rules.set_attr(pyseccomp.Attr.ACT_BADARCH, pyseccomp.KILL_PROCESS)
    for name in _CALLS.split():
        if _exists(name):
            rules.add_rule(pyseccomp.ALLOW, name)
    argument, equal = pyseccomp.Arg, pyseccomp.EQ
    rules.add_rule(pyseccomp.ALLOW, "clone", argument(0, pyseccomp.MASKED_EQ, _CLONE_THREAD, _CLONE_THREAD))
    # ENOSYS makes the C library fall back to clone, whose flags a filter can see.
    rules.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "clone3")
    rules.add_rule(pyseccomp.ALLOW, "prlimit64", argument(0, equal, 0))
    for option in (_SET_NAME, _GET_NAME, _SET_VMA):
        rules.add_rule(pyseccomp.ALLOW, "prctl", argument(0, equal, option))
    for request in _IOCTLS:
        rules.add_rule(pyseccomp.ALLOW, "ioctl", argument(1, equal, request))
    for command in _FCNTLS:
        rules.add_rule(pyseccomp.ALLOW, "fcntl", argument(1, equal, command))
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


def _exists(name: str) -> bool:
    """Whether this architecture has a call of that name; arm64 has only the newer of many pairs."""
    import pyseccomp

    try:
        return bool(pyseccomp.resolve_syscall(pyseccomp.system_arch(), name) >= 0)
    except (OSError, ValueError):
        return False
