# Announces an answer and sends it a byte at a time, to be waited for long after its time is over.
# expect: timed_out
# reason: stopped after \d+ s while building the network
import os
import stat
import struct
import time

from attack import Attack


class StudentNet(Attack):
    def attack(self):
        channels = []
        for descriptor in range(3, 64):
            try:
                if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                    os.write(descriptor, struct.pack("<IQ", 100_000, 0))
                    channels.append(descriptor)
            except OSError:
                pass
        while True:
            time.sleep(0.2)
            for descriptor in channels:
                os.write(descriptor, b" ")
