"""What hostile hand-ins share: an honest network, and `attempt`, which owns up to whatever worked.

A copy lies in every hand-in and runs inside the sandbox, so it imports nothing of the harness.
"""

import ctypes
import os
from pathlib import Path

from torch import nn

libc = ctypes.CDLL(None, use_errno=True)


class Honest(nn.Module):
    """The network that `weights.pt` was made for."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(192, 4)

    def forward(self, x):
        return self.fc(x.flatten(1))


class Attack(Honest):
    """Honest, but for what `attack` does while the network is built."""

    def __init__(self):
        super().__init__()
        self.attack()
        say("attacked")

    def attack(self):
        raise NotImplementedError


def say(text):
    """One line into what the harness keeps as printed, past any buffer."""
    os.write(1, f"{text}\n".encode(errors="replace"))


def attempt(what, action, *arguments):
    """What `action` returns, owning up to it; None when it was refused."""
    try:
        got = action(*arguments)
    except Exception as error:  # whatever a refusal looks like
        say(f"held: {what}: {type(error).__name__}: {error}"[:300])
        return None
    say(f"BREACH: {what}: {got!r}"[:300])
    return got


def syscall(number, *arguments):
    """A raw system call; arguments are integers and bytes.

    Raises:
        OSError: it failed.
    """
    words = [each if isinstance(each, bytes) or each is None else ctypes.c_long(each) for each in arguments]
    libc.syscall.restype = ctypes.c_long
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *words)
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def content(path):
    """The first bytes of a file."""
    with Path(path).open("rb") as file:
        return file.read(200)
