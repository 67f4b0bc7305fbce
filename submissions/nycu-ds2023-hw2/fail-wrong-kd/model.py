import torch.nn as nn
import torch.nn.functional as F


class StudentNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 48, 3, padding=1), nn.BatchNorm2d(48), nn.ReLU(),
            nn.AdaptiveAvgPool2d(3), nn.Flatten(),
        )
        self.fc = nn.Linear(48 * 9, 10)

    def forward(self, x):
        return self.fc(self.cnn(x))


def loss_fn_kd(student_logits, labels, teacher_logits, alpha, T):
    # soft targets from the teacher + hard targets from the labels
    distillation = nn.KLDivLoss(reduction="batchmean")(
        F.log_softmax(student_logits / T, dim=1),
        F.softmax(teacher_logits / T, dim=1),
    )
    return alpha * distillation + (1 - alpha) * F.cross_entropy(student_logits, labels)
