# Fills tensors without end (at most 3 GB).
# expect: out_of_memory
import torch
from attack import Attack


class StudentNet(Attack):
    def attack(self):
        kept = []
        for _ in range(48):
            kept.append(torch.ones(16 << 20))
        print("BREACH: 3 GB were filled", flush=True)
