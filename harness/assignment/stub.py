"""Write a source to start from: a network that fits an assignment's input and limits, and a distillation loss."""

from __future__ import annotations

from collections.abc import Mapping

from harness.assignment.loading import Assignment, metric_limits
from harness.plugins import Plugins
from harness.values.rules import SubmissionRules

_WIDTHS = (24, 16, 12, 8, 6, 4, 3, 2, 1)
_BYTES_PER_PARAMETER = 4
_BYTES_OF_A_FILE = 4096
"""What a weights file of a few tensors takes beside them."""

_SOURCE = '''"""A start for {title}

Change it as you like: only the names matter. Images come as float32 [N, {channels}, {size}, {size}].
"""

import torch
import torch.nn.functional as F
from torch import nn


class {network}(nn.Module):
    """Two convolutions and one linear layer: {parameters:,} parameters."""

    def __init__(self{arguments}):
        super().__init__()
        self.first = nn.Conv2d({channels}, {width}, 3, stride=2, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d({width})
        self.second = nn.Conv2d({width}, {wider}, 3, stride=2, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d({wider})
        self.classify = nn.Linear({wider}, {classes})

    def forward(self, images):
        features = F.relu(self.first_norm(self.first(images)))
        features = F.relu(self.second_norm(self.second(features)))
        return self.classify(features.mean(dim=(2, 3)))  # logits [N, {classes}]

{maker}
def {loss}(outputs, labels, teacher_outputs, T, alpha):
    """Knowledge distillation (Hinton et al. 2015): alpha T^2 KL(teacher || student) + (1 - alpha) cross-entropy."""
    soft = F.kl_div(
        F.log_softmax(outputs / T, dim=1), F.softmax(teacher_outputs / T, dim=1), reduction="batchmean"
    )
    return alpha * T * T * soft + (1 - alpha) * F.cross_entropy(outputs, labels)


if __name__ == "__main__":
    model = {network}()
    # Train it here; then save its weights beside this file:
    torch.save(model.state_dict(), "weights.pt")
'''
_MAKER = """
def {name}({arguments}):
    return {network}({passed})

"""


def stub_source(assignment: Assignment, plugins: Plugins) -> str:
    """A source that is graded as it is, once its weights are saved; what it gets right is not to be expected of it."""
    rules = assignment.rules
    channels, classes = rules.images.channels, rules.images.classes
    width = _width(channels, classes, _budget(assignment, plugins))
    network, maker = _named(rules.submission)
    given = _plain(rules.submission.model_arguments)
    return _SOURCE.format(
        title=rules.title.replace("\\", "\\\\").replace('"', "'"),
        channels=channels,
        size=rules.submission.input_sizes[0],
        network=network,
        parameters=parameters(width, channels, classes),
        arguments=f", *, {given}" if given else "",
        width=width,
        wider=2 * width,
        classes=classes,
        maker=maker,
        loss=rules.submission.kd_functions[0],
    )


def parameters(width: int, channels: int, classes: int) -> int:
    """Learned numbers of the stub's network: two convolutions, two normalisations, a linear layer with its bias."""
    return 9 * channels * width + 2 * width + 18 * width**2 + 4 * width + 2 * width * classes + classes


def _width(channels: int, classes: int, budget: float) -> int:
    """The largest that fits; the smallest where none does."""
    return next((each for each in _WIDTHS if parameters(each, channels, classes) <= budget), _WIDTHS[-1])


def _budget(assignment: Assignment, plugins: Plugins) -> float:
    """Parameters that meet every limit on weights."""
    found = [float("inf")]
    for name, most in metric_limits(assignment, plugins).items():
        unit = assignment.measures.metrics[name].unit if name in assignment.measures.metrics else ""
        if unit == "parameters":
            found.append(most)
        elif unit == "bytes":
            found.append((most - _BYTES_OF_A_FILE) / _BYTES_PER_PARAMETER)
    return min(found)


def _named(wanted: SubmissionRules) -> tuple[str, str]:
    """The name of the class, and a function that makes it where only a function's name is known."""
    classes = [each for each in wanted.entry_points if each[:1].isupper()]
    if classes:
        return classes[0], ""
    given = wanted.model_arguments
    passed = ", ".join(f"{name}={name}" for name in given)
    maker = _MAKER.format(name=wanted.entry_points[0], arguments=_plain(given), network="Network", passed=passed)
    return "Network", maker


def _plain(given: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in given.items())
