# Kills, stops and hangs up on whatever process started it.
# expect: graded
import os
import signal

from attack import Attack, say


class StudentNet(Attack):
    def attack(self):
        for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGHUP, signal.SIGTERM):
            if os.getppid() > 0:
                try:
                    os.kill(os.getppid(), number)
                    say(f"sent {number.name}")  # the result says whether it did anything
                except OSError as error:
                    say(f"held: {error}")
