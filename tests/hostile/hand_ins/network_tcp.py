# Connects to a server on this machine and sends what it has, over IPv4 and IPv6; listens as well.
# expect: graded
# everywhere: namespaces have no network, Landlock refuses to connect
import socket

from attack import Attack, attempt
from targets import TCP_PORT


class StudentNet(Attack):
    def attack(self):
        attempt("IPv4", self.send, socket.AF_INET, "127.0.0.1")
        attempt("IPv6", self.send, socket.AF_INET6, "::1")
        attempt("through IPv6 to IPv4", self.send, socket.AF_INET6, "::ffff:127.0.0.1")

    def send(self, family, address):
        with socket.socket(family, socket.SOCK_STREAM) as link:
            link.settimeout(1)
            link.connect((address, TCP_PORT))
            return link.send(b"network_tcp")
