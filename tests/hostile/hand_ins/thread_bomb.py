# Starts threads with tiny stacks until it is stopped (at most 3,000).
# expect: crashed
# reason: stopped at \d+ threads; the limit is 64
import threading
import time

from attack import Attack, say


class StudentNet(Attack):
    def attack(self):
        threading.stack_size(64 * 1024)
        started = 0
        try:
            for started in range(3000):
                threading.Thread(target=time.sleep, args=(20,), daemon=True).start()
        except RuntimeError as error:
            say(f"held: {error}")
        say(f"{started} threads")
        if started > 1000:
            say("BREACH: more than 1,000 threads")
