import torch.nn as nn
import torch.nn.functional as F


def dwpw_conv(in_channels, out_channels, stride=1):
    """Depthwise then pointwise convolution."""
    return nn.Sequential(
        nn.Conv2d(in_channels, in_channels, 3, stride=stride, padding=1, groups=in_channels, bias=False),
        nn.BatchNorm2d(in_channels),
        nn.Conv2d(in_channels, out_channels, 1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class StudentNet(nn.Module):
    def __init__(self):
        super().__init__()
        # like resnet: 224 -> 112 -> 56
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        self.layer1 = dwpw_conv(64, 64)
        self.layer2 = dwpw_conv(64, 128, stride=2)
        self.layer3 = dwpw_conv(128, 256, stride=2)
        self.layer4 = dwpw_conv(256, 141, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(141, 11)

    def forward(self, x):
        x = self.stem(x)
        x = self.layer1(x)
        x = self.layer2(x)
        x = self.layer3(x)
        x = self.layer4(x)
        return self.fc(self.avgpool(x).flatten(1))


# CE and KL_Loss
CE = nn.CrossEntropyLoss()
KL_loss = nn.KLDivLoss(reduction="batchmean", log_target=True)


def loss_fn_kd(student_logits, labels, teacher_logits, alpha=0.5, temperature=1.0):
    student_T = F.log_softmax(student_logits / temperature, dim=-1)
    teacher_T = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = KL_loss(student_T, teacher_T) * (temperature**2)
    return alpha * kl + (1 - alpha) * CE(student_logits, labels)
