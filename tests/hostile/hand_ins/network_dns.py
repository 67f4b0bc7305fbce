# Carries data out in the names of DNS questions, over UDP and over TCP, to a server on this machine.
# expect: graded
import socket
import struct

from attack import Attack, attempt, say
from targets import TCP_PORT, UDP_PORT

QUESTION = struct.pack(">6H", 1, 256, 1, 0, 0, 0) + b"\x0bnetwork_dns\x07invalid\0" + struct.pack(">2H", 16, 1)


class StudentNet(Attack):
    def attack(self):
        attempt("over TCP", self.ask_over_tcp)
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
                # Without a network this may even succeed; whether anything arrives is for the test to say.
                link.sendto(QUESTION, ("127.0.0.1", UDP_PORT))
                say("sent a question")
        except OSError as error:
            say(f"held: {error}")

    def ask_over_tcp(self):
        with socket.create_connection(("127.0.0.1", TCP_PORT), 1) as link:
            return link.send(struct.pack(">H", len(QUESTION)) + QUESTION)
