# Writes answers of its own making into the channel before the true ones.
# expect: rejected|crashed
import json
import os
import socket
import stat
import struct

from attack import Attack


class StudentNet(Attack):
    def attack(self):
        facts = {"state": {}, "parameters": [], "notes": [], "source": "", "torchinfo": 1, "layers": []}
        header = json.dumps({"kind": "done", "facts": facts, "order": []}).encode()
        for descriptor in range(3, 64):
            try:
                if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                    os.write(descriptor, (struct.pack("<IQ", len(header), 0) + header) * 3)
            except OSError:
                pass
