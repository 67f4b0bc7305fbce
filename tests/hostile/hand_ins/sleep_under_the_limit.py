# Takes nearly all the time there is: slow is no offence.
# expect: graded
import time

from attack import Attack
from targets import LIMIT_SECONDS


class StudentNet(Attack):
    slept = False

    def attack(self):
        time.sleep(0.6 * LIMIT_SECONDS)

    def forward(self, x):
        if len(x) > 2 and not self.slept:
            self.slept = True
            time.sleep(0.6 * LIMIT_SECONDS)
        return super().forward(x)
