# Fills the kernel's buffers instead of its own memory: pipes and socket pairs (at most 1 GB).
# expect: graded
import fcntl
import os
import socket

from attack import Attack, say


class StudentNet(Attack):
    def attack(self):
        kept, hoard = 0, []
        try:
            while kept < 1 << 30:
                reader, writer = os.pipe()
                hoard.append((reader, writer))
                try:
                    fcntl.fcntl(writer, 1031, 1 << 20)
                except OSError:
                    pass
                os.set_blocking(writer, False)
                kept += self.fill(lambda block, writer=writer: os.write(writer, block))
        except OSError as error:
            say(f"held: {error}")
        for pair in hoard:
            os.close(pair[0]), os.close(pair[1])
        say(f"{kept >> 20} MiB in pipes")
        if kept > 256 << 20:
            say("BREACH: more than 256 MiB in the kernel")
        try:
            left, right = socket.socketpair()
            left.setblocking(False)
            left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30)
            say(f"{self.fill(left.send) >> 10} KiB in a socket pair")
        except OSError as error:
            say(f"held: {error}")

    def fill(self, send):
        total = 0
        try:
            while total < 1 << 26:
                total += send(b"x" * (1 << 16))
        except BlockingIOError:
            pass
        return total
