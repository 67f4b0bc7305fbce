# Walks the harness's frames and every object of the interpreter, looking for labels and for paths outside.
# expect: graded
import gc
import sys

import torch
from attack import Honest, say
from targets import LABELS, OUTSIDE


class StudentNet(Honest):
    tried = False

    def forward(self, x):
        if len(x) > 2 and not StudentNet.tried:
            StudentNet.tried = True
            frame, names = sys._getframe(), set()
            while frame:
                names |= {f"{frame.f_code.co_name}.{name}" for name in frame.f_locals}
                frame = frame.f_back
            say(f"locals seen: {sorted(names)}"[:2000])
            for each in gc.get_objects():
                if isinstance(each, torch.Tensor) and each.numel() == len(LABELS) and each.flatten().tolist() == LABELS:
                    say("BREACH: the labels as a tensor")
                if isinstance(each, dict) and any(isinstance(value, str) and OUTSIDE in value for value in list(each.values())):
                    if each.get("__name__") != "targets" and "OUTSIDE" not in each:
                        say(f"BREACH: a path outside: {list(each)[:5]}")
            say("attacked")
        return super().forward(x)
