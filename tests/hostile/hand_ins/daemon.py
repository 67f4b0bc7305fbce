# Leaves a daemon behind: forks twice, leads a session of its own, ignores every signal.
# expect: graded
import os
import signal
import time

from attack import Attack, say
from targets import OUTSIDE


class StudentNet(Attack):
    def attack(self):
        try:
            child = os.fork()
        except OSError as error:
            say(f"held: {error}")
            return
        if child:
            os.waitpid(child, 0)
            say("BREACH: forked a daemon")
            return
        os.setsid()
        if os.fork():
            os._exit(0)
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        time.sleep(60)
        os._exit(0)
