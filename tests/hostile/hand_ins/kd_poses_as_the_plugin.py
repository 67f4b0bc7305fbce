# Puts itself in the place of the code that runs its distillation loss, in that worker and by the names it goes by.
# assignment: kd
# expect: graded
# check: kd_loss failed|could_not_check
# silent: only the loss is hostile
import sys
import types

from attack import Honest

pose = types.ModuleType("harness_kd.worker.answer")
pose.answer = lambda sources, facts, tensors: ({}, {})
for name in [name for name in sys.modules if name.startswith("harness_kd")]:
    sys.modules[name] = pose


class StudentNet(Honest):
    pass


def loss_fn_kd(outputs, labels, teacher_outputs, T, alpha):
    sys.modules["harness_kd.worker.answer"] = pose
    return outputs.sum() * 0
