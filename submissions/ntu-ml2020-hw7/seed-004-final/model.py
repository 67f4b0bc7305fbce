import torch
import torch.nn as nn
import torch.nn.functional as F


def conv_block(in_ch, out_ch):
    return [nn.Conv2d(in_ch, out_ch, 3, 1, 1), nn.BatchNorm2d(out_ch), nn.ReLU()]


class StudentNet(nn.Module):
    # final version: one fc layer only, the 128 hidden units were not worth 120k parameters
    def __init__(self):
        super().__init__()
        self.cnn = nn.Sequential(
            *conv_block(3, 16),
            *conv_block(16, 16),
            nn.MaxPool2d(2),  # 32
            *conv_block(16, 32),
            *conv_block(32, 32),
            nn.MaxPool2d(2),  # 16
            *conv_block(32, 64),
            *conv_block(64, 64),
            nn.MaxPool2d(2),  # 8
            *conv_block(64, 64),
            nn.MaxPool2d(2),  # 4
        )
        self.fc = nn.Sequential(nn.Dropout(0.3), nn.Linear(64 * 4 * 4, 11))

    def forward(self, x):
        return self.fc(torch.flatten(self.cnn(x), 1))


def loss_fn_kd(outputs, labels, teacher_outputs, T=20, alpha=0.5):
    student = F.log_softmax(outputs / T, dim=1)
    teacher = F.log_softmax(teacher_outputs / T, dim=1)
    kl = F.kl_div(student, teacher, reduction="batchmean", log_target=True)
    return alpha * T**2 * kl + (1 - alpha) * F.cross_entropy(outputs, labels)
