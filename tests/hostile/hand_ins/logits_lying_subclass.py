# Answers with a tensor whose class lies about its shape and answers every operation itself.
# expect: graded
# accuracy: at most 0.5
import torch
from attack import Honest


class Liar(torch.Tensor):
    @property
    def shape(self):
        return torch.Size([64, 4])

    @classmethod
    def __torch_function__(cls, function, types, arguments=(), options=None):
        return torch.zeros(10**6).as_subclass(cls)


class StudentNet(Honest):
    def forward(self, x):
        return torch.zeros(7).as_subclass(Liar) if len(x) > 2 else super().forward(x)
