# Fills the notes that go with every answer, as many as fit, each time others with escape sequences in them.
# expect: graded
import sys

from attack import Honest, say


class StudentNet(Honest):
    calls = 0

    def forward(self, x):
        frame = sys._getframe()
        while frame and len(x) > 2:
            notes = getattr(frame.f_locals.get("self"), "notes", None)
            if isinstance(notes, set):
                notes.clear()
                StudentNet.calls += 1
                notes.update(f"\x1b[31m{self.calls} {number} {'x' * 60}" for number in range(60_000))
                say("attacked")
            frame = frame.f_back
        return super().forward(x)
