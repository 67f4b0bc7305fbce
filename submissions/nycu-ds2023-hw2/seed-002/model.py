"""ResNet14-ish student. Widths 11/22/45 are what was left of 64/128/256 after pruning the filters."""
import torch
from torch import nn
from torch.nn import functional as F

WIDTHS = (11, 22, 45)


def conv3x3(cin, cout, stride=1):
    return nn.Conv2d(cin, cout, 3, stride=stride, padding=1, bias=False)


class BasicBlock(nn.Module):
    def __init__(self, cin, cout, stride=1):
        super().__init__()
        self.conv1 = conv3x3(cin, cout, stride)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = conv3x3(cout, cout)
        self.bn2 = nn.BatchNorm2d(cout)
        self.relu = nn.ReLU(inplace=True)
        if stride != 1 or cin != cout:
            self.shortcut = nn.Sequential(
                nn.Conv2d(cin, cout, 1, stride=stride, bias=False),
                nn.BatchNorm2d(cout),
            )
        else:
            self.shortcut = nn.Identity()

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out + self.shortcut(x))


class StudentNet(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        a, b, c = WIDTHS
        self.stem = nn.Sequential(conv3x3(3, a), nn.BatchNorm2d(a), nn.ReLU(inplace=True))
        self.layer1 = nn.Sequential(BasicBlock(a, a), BasicBlock(a, a))
        self.layer2 = nn.Sequential(BasicBlock(a, b, stride=2), BasicBlock(b, b))
        self.layer3 = nn.Sequential(BasicBlock(b, c, stride=2), BasicBlock(c, c))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(c, num_classes)

    def forward(self, x):
        x = self.stem(x)
        x = self.layer3(self.layer2(self.layer1(x)))
        x = torch.flatten(self.avgpool(x), 1)
        return self.fc(x)


def loss_fn_kd(student_logits, labels, teacher_logits, alpha=0.7, T=4.0):
    # KL(p_teacher || p_student) written out, averaged over the batch
    log_p = F.log_softmax(teacher_logits / T, dim=-1)
    log_q = F.log_softmax(student_logits / T, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean()
    ce = F.cross_entropy(student_logits, labels)
    return alpha * (T ** 2) * kl + (1.0 - alpha) * ce
