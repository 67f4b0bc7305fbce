# Adapts its weights to the test images while it is graded.
# expect: graded
# accuracy: any
# check: integrity_batch failed
import torch
from attack import Honest


class StudentNet(Honest):
    shift = None

    def forward(self, x):
        with torch.inference_mode(False), torch.enable_grad():
            weight = self.fc.weight.detach().clone() if self.shift is None else self.shift.clone()
            weight.requires_grad_()
            rows = torch.nn.functional.linear(x.clone().flatten(1), weight, self.fc.bias.detach().clone())
            entropy = -(rows.softmax(1) * rows.log_softmax(1)).sum(1).mean()
            self.shift = (weight - 0.05 * torch.autograd.grad(entropy, weight)[0]).detach()
        return rows.detach()
