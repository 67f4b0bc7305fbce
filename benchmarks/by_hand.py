"""The grading script that people write by hand: what the harness is compared with, and nothing it uses.

    python benchmarks/by_hand.py SUBMISSION...      # one after the other, as a loop in one process would

One submission: import its model.py, load its weights, count its parameters with torchinfo, try its KD loss on four
settings against the formula, and predict the 10,000 embedded test images. Nothing is confined, nothing is timed out.
"""

from __future__ import annotations

import gzip
import runpy
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import torchinfo

DATA = Path(__file__).parents[1] / "fixtures" / "data" / "fashion-mnist-test"
SETTINGS = ((0.3, 4.0), (0.7, 2.5), (0.0, 4.0), (1.0, 4.0))


def test_set() -> tuple[torch.Tensor, torch.Tensor]:
    """Images [10,000, 3, 28, 28] in float32, normalised, and labels [10,000]."""
    images, labels = (
        np.frombuffer(gzip.decompress(next(DATA.glob(f"*{kind}*")).read_bytes()), np.uint8, offset=offset)
        for kind, offset in (("images", 16), ("labels", 8))
    )
    pixels = torch.tensor(images).reshape(-1, 1, 28, 28).expand(-1, 3, -1, -1).float() / 255
    return (pixels - 0.5) / 0.5, torch.tensor(labels).long()


def formula(student: torch.Tensor, labels: torch.Tensor, teacher: torch.Tensor, alpha: float, T: float) -> torch.Tensor:
    soft = F.kl_div(F.log_softmax(student / T, 1), F.softmax(teacher / T, 1), reduction="batchmean")
    return alpha * T * T * soft + (1 - alpha) * F.cross_entropy(student, labels)


def grade(folder: Path, images: torch.Tensor, labels: torch.Tensor, batch_size: int) -> tuple[int, bool, float]:
    """Parameters, whether the KD loss is right, and the accuracy."""
    defined = runpy.run_path(str(folder / "model.py"))
    network = defined["StudentNet"]()
    network.load_state_dict(torch.load(folder / "weights.pt", weights_only=True))
    network.eval()
    parameters = torchinfo.summary(network, (1, 3, 28, 28), verbose=0).total_params
    network.eval()
    right = all(loss_is_right(defined["loss_fn_kd"], *setting) for setting in SETTINGS)
    correct = 0
    with torch.inference_mode():
        for start in range(0, len(images), batch_size):
            logits = network(images[start : start + batch_size])
            correct += int((logits.argmax(1) == labels[start : start + batch_size]).sum())
    return parameters, right, correct / len(images)


def loss_is_right(loss: object, alpha: float, T: float) -> bool:
    generator = torch.Generator().manual_seed(0)
    student, teacher = (3 * torch.randn(7, 10, generator=generator) for _ in range(2))
    labels = torch.randint(0, 10, (7,), generator=generator)
    student.requires_grad_()
    value = loss(student, labels, teacher, alpha, T)  # type: ignore[operator]
    (gradient,) = torch.autograd.grad(value, student)
    wanted = formula(student, labels, teacher, alpha, T)
    (wanted_gradient,) = torch.autograd.grad(wanted, student)
    return torch.allclose(value, wanted, rtol=1e-4) and torch.allclose(gradient, wanted_gradient, rtol=1e-3, atol=1e-5)


if __name__ == "__main__":
    test_images, test_labels = test_set()
    for each in sys.argv[1:]:
        print(each, *grade(Path(each), test_images, test_labels, 500))
