"""What a backend is known not to stop, and why. A test fails when an entry is no longer true, so the table shrinks."""

from __future__ import annotations

from collections.abc import Mapping

_NO_FILTER = "no system-call filter"
_INIT = "bubblewrap's own first process is in reach; it is the same user's and holds nothing"

KNOWN_GAPS: Mapping[str, Mapping[str, str]] = {
    "bwrap": {
        "daemon": f"{_NO_FILTER}: it can be started, but dies with the namespace",
        "exec_from_memory": _NO_FILTER,
        "exec_in_place": _NO_FILTER,
        "exec_setuid": f"{_NO_FILTER}: Python can be run again",
        "fork_bomb": f"{_NO_FILTER}: ends as out_of_memory",
        "fork_by_other_calls": _NO_FILTER,
        "hamper_others": _INIT,
        "kernel_bpf": f"{_NO_FILTER}: userfaultfd, secret memory, personality, local descriptor table",
        "kernel_int_0x80": _NO_FILTER,
        "kernel_io_uring": _NO_FILTER,
        "kernel_ipc": f"{_NO_FILTER}: objects of its own namespace can be made",
        "kernel_keyctl": "the grader's session keyring is inherited and can be read",
        "kernel_namespaces": f"{_NO_FILTER}: namespaces below its own can be made",
        "knows_the_positions": "images come in the order of the data; integrity_batch finds it",
        "memory_by_memfd": "memory without a process that maps it is not counted",
        "network_odd_families": f"{_NO_FILTER}: netlink and vsock",
        "pidfd_tricks": _INIT,
        "process_vm_readv": _INIT,
        "ptrace_others": _INIT,
        "thread_bomb": "the number of threads is not limited",
        "watch_outside": f"{_NO_FILTER}: a fanotify group can be made, though not aimed outside",
    },
}
