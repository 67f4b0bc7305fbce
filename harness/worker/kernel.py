"""Call Linux where Python has no name for it: prctl, Landlock, capabilities, a ready-made seccomp program.

Theory of operation. A worker is forked from a zygote and locks itself before it sees anything of a student's. Every
lock here is one-way: the kernel offers no call that takes it off, and all threads and children inherit it.

    no_new_privileges   set-user-id programs give nothing; also what lets an ordinary user apply the next two
    Landlock            which files may be opened and how, no TCP, no signals or abstract sockets beyond this process
                        (https://docs.kernel.org/userspace-api/landlock.html; signals need ABI 6, Linux 6.12)
    seccomp             which system calls exist at all; last, because it forbids the calls that set up the others

Landlock sees paths, so what was opened before stays open: descriptors are closed first (`harness.worker.locks`).
The seccomp program is compiled by libseccomp in the grader (`harness.sandbox.calls`) and only installed here.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

FULL_ABI = 6
"""The first Landlock that also keeps signals and abstract sockets inside."""
READ_EVERYTHING = 1 << 2
"""The capability CAP_DAC_READ_SEARCH: permission bits of files and folders do not stop reading."""

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_KEEPCAPS, _PR_SET_SECCOMP = 1, 4, 8, 22
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 36, 38
_PR_CAPBSET_DROP, _CAPABILITIES = 24, 64
_SECCOMP_MODE_FILTER = 2
# linux/sched.h, by the names in /proc/PID/ns.
_NAMESPACES = {
    "user": 0x10000000,
    "mnt": 0x00020000,
    "pid": 0x20000000,
    "net": 0x40000000,
    "ipc": 0x08000000,
    "uts": 0x04000000,
    "cgroup": 0x02000000,
}
_CAPABILITY_VERSION_3 = 0x20080522
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION, _RULE_PATH_BENEATH = 1, 1
_READ_FILE, _WRITE_FILE, _READ_FOLDER = 1 << 2, 1 << 1, 1 << 3
# Rights of `linux/landlock.h` by the ABI that brought them; what is handled and not allowed is forbidden.
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
_NET_RIGHTS = {4: 0b11}
_SCOPES = {6: 0b11}


class _RulesetAttributes(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


class _SocketFilter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("program", ctypes.c_char_p))


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


@cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _prctl(option: int, argument: Any, pointer: Any = 0) -> None:
    _checked(_libc().prctl(option, ctypes.c_ulong(argument), pointer, 0, 0), f"prctl {option}")


def die_with_parent(signal_number: int) -> None:
    """Get that signal when the process that forked this one ends."""
    _prctl(_PR_SET_PDEATHSIG, signal_number)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ended, so that none escapes."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def undumpable() -> None:
    """No core file, and no ptrace or `/proc/PID/mem` by others of the same user."""
    _prctl(_PR_SET_DUMPABLE, 0)


def no_new_privileges() -> None:
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def capabilities(mask: int) -> None:
    """Give up every capability of this thread but those in `mask` (bits as in `linux/capability.h`)."""
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    # Effective, permitted, inheritable of the lower 32 capabilities; then the same of the upper ones.
    sets = (ctypes.c_uint32 * 6)(mask, mask, 0, 0, 0, 0)
    _checked(_libc().capset(ctypes.byref(header), sets), "capset")


def no_capability_ever() -> None:
    """Take every capability out of what this process could ever get by running a program."""
    for number in range(_CAPABILITIES):
        with contextlib.suppress(OSError):  # the kernel has fewer
            _prctl(_PR_CAPBSET_DROP, number)


def enter_namespaces(process: int, pid: int) -> None:
    """Enter all namespaces of another process that are not ours; that of processes counts for children only.

    Args:
        process: a descriptor of it (Linux 5.8).
        pid: its number.

    Raises:
        OSError: they belong to somebody else, or the kernel is too old.
    """
    different = 0
    for name, flag in _NAMESPACES.items():
        if Path(f"/proc/{pid}/ns/{name}").readlink() != Path(f"/proc/self/ns/{name}").readlink():
            different |= flag
    _checked(_libc().setns(process, different), "setns")


def keep_capabilities() -> None:
    """Let them survive the change from root to another user, until `capabilities` says which."""
    _prctl(_PR_SET_KEEPCAPS, 1)


def install_filter(program: bytes) -> None:
    """Apply a compiled seccomp program (an array of `struct sock_filter`, 8 bytes each) to this thread."""
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(_SocketFilter(len(program) // 8, program)))


def landlock_abi() -> int:
    """The kernel's Landlock version; 0 where there is none."""
    return max(0, int(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _CREATE_RULESET_VERSION)))


def landlock_rules(readable: Iterable[Path], writable: Iterable[Path] = ()) -> int:
    """A descriptor of rules: read below `readable`, read and write the files `writable`, nothing else anywhere.

    TCP, and with ABI 6 signals and abstract sockets, are forbidden as far as the kernel knows how.

    Raises:
        OSError: the kernel has no Landlock.
    """
    abi = landlock_abi()
    handled = _RulesetAttributes(*(_sum(rights, abi) for rights in (_FILE_RIGHTS, _NET_RIGHTS, _SCOPES)))
    # Older kernels refuse attributes they do not know.
    size = 24 if abi >= FULL_ABI else 16 if abi >= min(_NET_RIGHTS) else 8
    rules = _checked(_libc().syscall(_CREATE_RULESET, ctypes.byref(handled), ctypes.c_size_t(size), 0), "landlock")
    for path in readable:
        _allow(rules, path, _READ_FILE | _READ_FOLDER)
    for path in writable:
        _allow(rules, path, _READ_FILE | _WRITE_FILE)
    return rules


def landlock(rules: int) -> None:
    """Apply rules to this thread; `no_new_privileges` comes first."""
    _checked(_libc().syscall(_RESTRICT_SELF, rules, 0), "landlock")


def _allow(rules: int, path: Path, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= ~_READ_FOLDER
        rule = _PathBeneath(rights, descriptor)
        _checked(_libc().syscall(_ADD_RULE, rules, _RULE_PATH_BENEATH, ctypes.byref(rule), 0), f"landlock {path}")
    finally:
        os.close(descriptor)


def _sum(rights: Mapping[int, int], abi: int) -> int:
    return sum(bits for since, bits in rights.items() if since <= abi)
