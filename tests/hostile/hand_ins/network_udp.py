# Sends datagrams to a server on this machine.
# expect: graded
import socket

from attack import Attack, say
from targets import UDP_PORT


class StudentNet(Attack):
    def attack(self):
        for address in ("127.0.0.1", "255.255.255.255", "0.0.0.0"):
            try:
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
                    # Without a network this may even succeed; whether anything arrives is for the test to say.
                    link.sendto(b"network_udp", (address, UDP_PORT))
                    say(f"sent to {address}")
            except OSError as error:
                say(f"held: {address}: {error}")
