# Reads the keys that the grader's session keeps in the kernel, and adds one.
# expect: graded
import ctypes

from attack import Attack, attempt, say, syscall
from targets import KEY

ADD_KEY, REQUEST_KEY, KEYCTL = 248, 249, 250


class StudentNet(Attack):
    def attack(self):
        for ring in (-3, -4, -5):
            attempt(f"keys of keyring {ring}", self.find, ring)
        attempt("a new key", syscall, ADD_KEY, b"user", b"kernel_keyctl", b"x", 1, -2)
        attempt("a request", syscall, REQUEST_KEY, b"user", KEY.encode(), 0, 0)
        attempt("a new session", syscall, KEYCTL, 1, 0)

    def find(self, ring):
        serial = syscall(KEYCTL, 10, ring, b"user", KEY.encode(), 0)
        buffer = ctypes.create_string_buffer(200)
        size = syscall(KEYCTL, 11, serial, ctypes.addressof(buffer), 200)
        return buffer.raw[:size]
