import torch
import torch.nn as nn
import torch.nn.functional as F


def conv(in_ch, out_ch):
    return nn.Sequential(nn.Conv2d(in_ch, out_ch, 3, 1, 1), nn.BatchNorm2d(out_ch), nn.ReLU())


def group_pw(in_ch, out_ch):
    return nn.Sequential(
        nn.Conv2d(in_ch, in_ch, 3, 1, 1, groups=in_ch // 2),
        nn.BatchNorm2d(in_ch),
        nn.ReLU(),
        nn.Conv2d(in_ch, out_ch, 1),
    )


class StudentNet(nn.Module):
    # question 4, groups of two channels
    def __init__(self):
        super().__init__()
        self.cnn = nn.Sequential(
            conv(3, 16),
            conv(16, 16),
            nn.MaxPool2d(2),
            conv(16, 32),
            conv(32, 32),
            nn.MaxPool2d(2),
            group_pw(32, 64),
            group_pw(64, 64),
            nn.MaxPool2d(2),
            group_pw(64, 64),
            nn.MaxPool2d(2),
        )
        self.fc = nn.Sequential(
            nn.Dropout(0.5),
            nn.Linear(64 * 4 * 4, 128),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(128, 11),
        )

    def forward(self, x):
        x = torch.flatten(self.cnn(x), 1)
        return self.fc(x)


def loss_fn_kd(outputs, labels, teacher_outputs, T=20, alpha=0.5):
    # sum over everything, then divide by the batch size = batchmean
    soft = F.kl_div(F.log_softmax(outputs / T, dim=1), F.softmax(teacher_outputs / T, dim=1), reduction="sum")
    soft = soft / outputs.shape[0] * T * T
    hard = F.cross_entropy(outputs, labels)
    return alpha * soft + (1 - alpha) * hard
