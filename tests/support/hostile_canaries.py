"""What attacks aim at, made for them and for nobody else: secrets, files, listeners, a process, kernel objects."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

import numpy as np
import psutil
import torch

import harness

_libc = ctypes.CDLL(None, use_errno=True)
_libc.shmat.restype = ctypes.c_void_p
_MQ_OPEN, _MQ_UNLINK, _ADD_KEY, _KEYCTL = 240, 241, 248, 250
_IPC_CREAT, _IPC_RMID = 0o1000, 0
MARK = "HOSTILE" + "-SECRET"


class Canaries:
    """Everything outside the sandbox that must be the same afterwards. Use it as a context manager.

    Args:
        folder: an empty one, readable by everyone, whose name is short enough for a Unix socket.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark, self.hidden = secrets.token_hex(8), secrets.token_hex(8)
        self.outside, self.home, self.temporary = folder / "outside", folder / "home", folder / "tmp"
        self.contacts: list[str] = []
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._write_files()
        self._listen()
        self._make_kernel_objects()
        self._start_process()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def targets(self) -> dict[str, Any]:
        """What `targets.py` in a hand-in says; never a secret itself."""
        return {
            "OUTSIDE": str(self.outside),
            "HOME": str(self.home),
            "TEMPORARY": str(self.temporary),
            "CLASS": str(self.folder / "class" / "main"),
            "NEIGHBOUR": str(self.folder / "class" / "main" / "neighbour"),
            "DATA": str(self.folder / "data"),
            "CANARY": self.process.pid,
            "GRADER": os.getpid(),
            "TCP_PORT": self._tcp,
            "UDP_PORT": self._udp,
            "UNIX": str(self.outside / "unix"),
            "ABSTRACT": f"hostile-{self.mark}",
            "KEY": f"hostile-{self.mark}",
            "IPC_KEY": self._ipc_key,
            "SHARED": f"hostile-{self.mark}",
        }

    def secret(self, place: str) -> str:
        return f"{MARK}-{place}-{self.hidden}"

    def state(self) -> dict[str, Any]:
        """Of everything that no hand-in may change, comparable before and after."""
        watched = [self.folder / name for name in ("outside", "home", "data", "class")]
        found: dict[str, Any] = {str(path): _described(path) for each in watched for path in [each, *each.rglob("*")]}
        files = [torch.__file__, torch.nn.modules.linear.__file__, np.__file__, os.__file__, harness.__file__]
        found |= {path: _described(Path(path)) for path in files}
        found |= {"process": self._process_state(), "shared": Path(f"/dev/shm/hostile-{self.mark}").read_text()}
        return found

    def _write_files(self) -> None:
        for each in (self.outside, self.home, self.temporary, self.outside / "empty", self.home / ".ssh"):
            each.mkdir()
            each.chmod(0o777)
        (self.home / ".ssh" / "id_ed25519").write_text(self.secret("home"))
        (self.outside / "secret.txt").write_text(self.secret("file"))
        (self.outside / "link").symlink_to("secret.txt")
        for name in ("writable.txt", "removable.txt"):
            (self.outside / name).write_text("as it was")
            (self.outside / name).chmod(0o666)
        shared = Path(f"/dev/shm/hostile-{self.mark}")
        shared.write_text(self.secret("shm"))
        shared.chmod(0o666)
        self._stack.callback(shared.unlink, missing_ok=True)

    def _listen(self) -> None:
        selector = selectors.DefaultSelector()
        tcp = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        self._tcp, self._udp = tcp.getsockname()[1], udp.getsockname()[1]
        named, abstract = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        named.bind(str(self.outside / "unix"))
        (self.outside / "unix").chmod(0o777)
        abstract.bind(f"\0hostile-{self.mark}")
        for name, each in (("tcp", tcp), ("udp", udp), ("unix", named), ("abstract", abstract)):
            if each.type == socket.SOCK_STREAM:
                each.listen(50)
            self._stack.enter_context(each)
            selector.register(each, selectors.EVENT_READ, name)
        threading.Thread(target=self._receive, args=(selector,), daemon=True).start()

    def _receive(self, selector: selectors.BaseSelector) -> None:
        while True:
            for key, _ in selector.select():
                server: Any = key.fileobj
                try:
                    if key.data == "udp":
                        data = server.recv(4096)
                    else:
                        with server.accept()[0] as link:
                            link.settimeout(1)
                            data = link.recv(4096)
                except TimeoutError:
                    data = b"(nothing)"
                except OSError:
                    return
                self.contacts.append(f"{key.data}: {data!r}")

    def _make_kernel_objects(self) -> None:
        """Each of them only where the kernel has such things."""
        name, value = f"hostile-{self.mark}".encode(), self.secret("key").encode()
        if _libc.syscall(_KEYCTL, 1, None) != -1:  # a session keyring of its own, so that nobody else's is touched
            _libc.syscall(_ADD_KEY, b"user", name, value, len(value), -3)
        self._ipc_key = secrets.randbits(30) | 1
        segment = _libc.shmget(self._ipc_key, 4096, _IPC_CREAT | 0o666)
        if segment != -1:
            self._stack.callback(_libc.shmctl, segment, _IPC_RMID, None)
            ctypes.memmove(_libc.shmat(segment, None, 0), self.secret("ipc").encode() + b"\0", 48)
        queue = _libc.syscall(_MQ_OPEN, name, os.O_CREAT | os.O_RDWR, 0o666, None)
        if queue != -1:
            self._stack.callback(_libc.syscall, _MQ_UNLINK, name)

    def _start_process(self) -> None:
        code = "import signal\nsignal.alarm(900)\nsignal.pause()"  # ends by itself should the run be killed
        environment = {"HOSTILE_CANARY": self.secret("process")}
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", code], env=environment, cwd=self.outside, start_new_session=True
        )
        self._stack.callback(self._end_process)

    def _end_process(self) -> None:
        self.process.kill()
        self.process.wait()

    def _process_state(self) -> dict[str, Any]:
        if self.process.poll() is not None:
            return {"ended": signal.Signals(-self.process.returncode).name if self.process.returncode else 0}
        seen = psutil.Process(self.process.pid)
        return {
            "running": seen.status() in {psutil.STATUS_SLEEPING, psutil.STATUS_RUNNING, psutil.STATUS_IDLE},
            "nice": seen.nice(),
            "processors": seen.cpu_affinity(),
            "disk": list(seen.ionice()),
            "files": list(seen.rlimit(psutil.RLIMIT_NOFILE)),
            "scheduler": os.sched_getscheduler(seen.pid),
            "traced": _tracer(seen.pid),
            "oom": Path(f"/proc/{seen.pid}/oom_score_adj").read_text(),
        }


def _tracer(pid: int) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line for line in lines if line.startswith("TracerPid"))


def _described(path: Path) -> list[Any]:
    seen = path.lstat()
    content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() and not path.is_symlink() else ""
    attributes = os.listxattr(path, follow_symlinks=False)
    size = seen.st_size if content else 0
    return [seen.st_mode, seen.st_uid, seen.st_gid, seen.st_nlink, size, seen.st_mtime_ns, content, attributes]
