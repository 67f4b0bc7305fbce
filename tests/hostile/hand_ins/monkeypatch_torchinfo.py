# Makes torchinfo count ten parameters where there are thousands.
# expect: graded
# weights: large 5000
# check: parameter_limit failed|could_not_check
import torch
import torchinfo
from attack import Attack
from torch import nn


class StudentNet(Attack):
    def __init__(self):
        super().__init__()
        self.large = nn.Parameter(torch.zeros(5000))

    def attack(self):
        summary = torchinfo.summary

        def modest(*arguments, **options):
            statistics = summary(*arguments, **options)
            statistics.total_params = 10
            return statistics

        torchinfo.summary = modest

    def forward(self, x):
        return super().forward(x) + 0 * self.large.sum()
