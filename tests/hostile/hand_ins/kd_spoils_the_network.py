# Changes torch in its distillation loss, for the network that is graded beside it.
# assignment: kd
# expect: graded
# check: kd_loss failed|could_not_check
# silent: only the loss is hostile
import torch
from attack import Honest


class StudentNet(Honest):
    pass


def loss_fn_kd(outputs, labels, teacher_outputs, T, alpha):
    torch.nn.functional.linear = lambda *_: torch.zeros(64, 4)
    torch.Tensor.flatten = lambda *_: torch.zeros(64, 192)
    return outputs.sum() * 0
