# Leaves threads that go on after every answer, to work between requests.
# expect: graded
import threading
import time

from attack import Attack


class StudentNet(Attack):
    def attack(self):
        for _ in range(4):
            threading.Thread(target=self.work).start()

    def work(self):
        while True:
            time.sleep(0.01)
            sum(range(1000))
