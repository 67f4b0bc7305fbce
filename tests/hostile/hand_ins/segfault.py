# Reads address 0.
# expect: crashed
# reason: killed by SIGSEGV while building the network
import ctypes

from attack import Attack


class StudentNet(Attack):
    def attack(self):
        ctypes.string_at(0)
