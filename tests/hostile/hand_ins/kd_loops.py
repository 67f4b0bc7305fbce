# Trains for ever in its distillation loss.
# assignment: kd
# expect: graded
# check: kd_loss failed|could_not_check
# silent: only the loss is hostile
from attack import Honest


class StudentNet(Honest):
    pass


def loss_fn_kd(outputs, labels, teacher_outputs, T, alpha):
    while True:
        pass
