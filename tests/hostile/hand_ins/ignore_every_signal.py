# Ignores every signal and swallows every exception, endlessly, while it is imported.
# expect: timed_out
# reason: stopped after \d+ s while importing the submission
import signal

from attack import Honest


def stubborn():
    for number in range(1, 65):
        try:
            signal.signal(number, lambda *_: None)
        except (OSError, ValueError):
            pass
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass


class StudentNet(Honest):
    size = stubborn()
