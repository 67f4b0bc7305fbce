# Fills every folder it may write to; temporary folders often lie in memory (at most 1 GB).
# expect: graded
import os

from attack import Attack, say


class StudentNet(Attack):
    def attack(self):
        block, kept = b"x" * (8 << 20), 0
        for folder in ("/tmp", "/dev/shm", "/dev", "/run", "/var/tmp", "/", "."):
            for number in range(16):
                try:
                    descriptor = os.open(f"{folder}/hostile-{os.getpid()}-{number}", os.O_CREAT | os.O_WRONLY)
                    kept += os.write(descriptor, block)
                    os.unlink(f"{folder}/hostile-{os.getpid()}-{number}")
                except OSError as error:
                    say(f"held: {folder}: {error}")
                    break
        say(f"{kept >> 20} MiB")
        if kept > 256 << 20:
            say("BREACH: more than 256 MiB in files")
