import torch.nn as nn
import torch.nn.functional as F


class StudentNet(nn.Module):
    # plain convolutions (question 4, "conv")
    def __init__(self):
        super().__init__()

        def block(i, o):
            return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(inplace=True))

        self.features = nn.Sequential(
            block(3, 16), block(16, 16), nn.MaxPool2d(2),
            block(16, 32), block(32, 32), nn.MaxPool2d(2),
            block(32, 64), block(64, 64), nn.MaxPool2d(2),
            block(64, 64), nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(0.5),
            nn.Linear(1024, 128),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(128, 11),
        )

    def forward(self, x):
        x = self.features(x)
        return self.classifier(x.flatten(1))


def loss_fn_kd(outputs, labels, teacher_outputs, T=20, alpha=0.5):
    hard = F.cross_entropy(outputs, labels)
    soft = nn.KLDivLoss(reduction="batchmean")(F.log_softmax(outputs / T, 1), F.softmax(teacher_outputs / T, 1))
    return (1 - alpha) * hard + alpha * T * T * soft
