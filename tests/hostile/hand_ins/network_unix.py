# Connects to Unix sockets of others, by path and by abstract name.
# expect: graded
# everywhere: namespaces hide abstract names, Landlock scopes them
import socket

from attack import Attack, attempt
from targets import ABSTRACT, UNIX


class StudentNet(Attack):
    def attack(self):
        for name in (UNIX, "\0" + ABSTRACT, "/run/dbus/system_bus_socket", "/var/run/docker.sock"):
            attempt(f"{name!r}", self.send, name)

    def send(self, name):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(1)
            link.connect(name)
            return link.send(b"network_unix")
