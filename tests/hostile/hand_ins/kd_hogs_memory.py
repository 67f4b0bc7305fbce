# Fills memory in its distillation loss (at most 3 GB).
# assignment: kd
# expect: graded
# check: kd_loss failed|could_not_check
# silent: only the loss is hostile
import torch
from attack import Honest


class StudentNet(Honest):
    pass


def loss_fn_kd(outputs, labels, teacher_outputs, T, alpha):
    kept = [torch.ones(16 << 20) for _ in range(48)]
    print("BREACH: 3 GB were filled", flush=True)
    return sum(each[0] for each in kept)
