# Makes sockets of families that namespaces do not confine or that offer much kernel to attack.
# expect: graded
import socket

from attack import Attack, attempt

FAMILIES = {"netlink": (16, 3, 0), "packet": (17, 3, 0), "raw": (2, 3, 1), "vsock": (40, 1, 0), "alg": (38, 5, 0),
            "can": (29, 3, 1), "bluetooth": (31, 3, 0), "xdp": (44, 3, 0), "rds": (21, 5, 0)}


class StudentNet(Attack):
    def attack(self):
        for name, arguments in FAMILIES.items():
            attempt(name, socket.socket, *arguments)
