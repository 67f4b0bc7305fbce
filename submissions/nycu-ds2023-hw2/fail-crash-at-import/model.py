import csv

import torch
import torch.nn as nn
import torch.nn.functional as F

DATA_ROOT = "./data/fashion_mnist"


def read_class_names(root):
    with open(root + "/class_names.csv", newline="") as f:
        return [row[1] for row in csv.reader(f)]


class StudentNet(nn.Module):
    # 10 on my laptop, but let's not hard-code it
    class_names = read_class_names(DATA_ROOT)

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(16 * 7 * 7, len(self.class_names))

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        return self.fc(torch.flatten(x, 1))


def loss_fn_kd(student_logits, labels, teacher_logits, alpha, T):
    soft = F.kl_div(
        F.log_softmax(student_logits / T, dim=1),
        F.softmax(teacher_logits / T, dim=1),
        reduction="batchmean",
    )
    return alpha * T * T * soft + (1 - alpha) * F.cross_entropy(student_logits, labels)
