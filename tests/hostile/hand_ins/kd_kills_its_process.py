# Dies in its distillation loss, after killing whatever else it reaches.
# assignment: kd
# expect: graded
# check: kd_loss failed|could_not_check
# silent: only the loss is hostile
import ctypes
import os
import signal

from attack import Honest, attempt
from targets import CANARY


class StudentNet(Honest):
    pass


def loss_fn_kd(outputs, labels, teacher_outputs, T, alpha):
    attempt("kill", os.kill, CANARY, signal.SIGKILL)
    ctypes.string_at(0)
