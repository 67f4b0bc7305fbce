# Goes on writing into the shared space for logits after it has answered: finite when looked at, NaN when used.
# expect: graded|rejected
# accuracy: any
import sys
import threading
import time

from attack import Honest


def spoil(logits):
    while True:
        try:
            logits.fill_(float("nan"))
            time.sleep(0)
            logits.fill_(1.0)
        except Exception:
            return


class StudentNet(Honest):
    started = False

    def forward(self, x):
        frame = sys._getframe()
        while frame and len(x) > 2 and not StudentNet.started:
            logits = frame.f_locals.get("logits")
            if logits is not None:
                StudentNet.started = True
                threading.Thread(target=spoil, args=(logits,), daemon=True).start()
            frame = frame.f_back
        return super().forward(x)
