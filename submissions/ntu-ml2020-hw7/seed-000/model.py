import torch.nn as nn
import torch.nn.functional as F


class StudentNet(nn.Module):
    """Depthwise + pointwise student, works for any image of at least 16x16."""

    def __init__(self):
        super(StudentNet, self).__init__()
        chs = [64, 64, 128, 128, 256, 256, 256, 256]
        blocks = [
            nn.Sequential(
                nn.Conv2d(3, chs[0], 3, 1, 1),
                nn.BatchNorm2d(chs[0]),
                nn.ReLU(),
                nn.MaxPool2d(2, 2, 0),
            )
        ]
        for i in range(1, len(chs)):
            blocks.append(self.dwpw(chs[i - 1], chs[i], pool=(i <= 3)))
        # global average pooling: the fc does not care how large the image was
        blocks.append(nn.AdaptiveAvgPool2d((1, 1)))
        self.cnn = nn.Sequential(*blocks)
        self.fc = nn.Linear(chs[-1], 11)

    def dwpw(self, c_in, c_out, pool):
        layers = [
            nn.Conv2d(c_in, c_in, 3, 1, 1, groups=c_in),
            nn.BatchNorm2d(c_in),
            nn.ReLU6(),
            nn.Conv2d(c_in, c_out, 1),
        ]
        if pool:
            layers.append(nn.MaxPool2d(2, 2, 0))
        return nn.Sequential(*layers)

    def forward(self, x):
        out = self.cnn(x)
        out = out.view(out.size(0), -1)
        return self.fc(out)


def loss_fn_kd(outputs, labels, teacher_outputs, T=20, alpha=0.5):
    # hard label loss
    hard_loss = F.cross_entropy(outputs, labels) * (1.0 - alpha)
    # soft label loss, times T^2 because the gradients shrink by 1/T^2
    soft_loss = nn.KLDivLoss(reduction="batchmean")(
        F.log_softmax(outputs / T, dim=1), F.softmax(teacher_outputs / T, dim=1)
    ) * (alpha * T * T)
    return hard_loss + soft_loss
