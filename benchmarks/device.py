"""What a GPU changes: predictions image by image, and seconds, against the CPU. Needs a GPU, and a few minutes.

    python benchmarks/device.py [--device cuda] [--seconds 240]

Verified networks of the example classes are measured on both devices, on images of their assignment:
how many predicted classes differ, and the largest difference of logits, as a share of the largest logit. Then a network
of convolutions at 224x224, on 256 random images: the ratio of times.

`--device cpu` tries the script itself.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from harness.assignment.loading import load
from harness.data.data_sets import DataSets
from harness.graph.limits import accepted
from harness.networks.device import CannotRun, Device, DeviceNetwork
from harness.networks.student import SandboxedStudent
from harness.plugins import Plugins
from harness.sandbox import choose
from harness.sandbox.shared_images import SharedImages
from harness.submission.discovery import discover
from harness.submission.reading import read_submission
from harness.values.images import Images
from harness.values.networks import TracedNetwork
from harness.worker.trace import trace

CLASSES = ("nycu-ds2023-hw2", "ntu-ml2020-hw7", "ntu-ml2023-hw13")
SUBMISSIONS = Path(__file__).parents[1] / "submissions"
COMPARED, LARGE = 2000, 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=240)
    asked = parser.parse_args()
    end = time.monotonic() + asked.seconds
    gpu, cpu = Device(asked.device), Device("cpu")
    card = torch.cuda.get_device_name() if gpu.torch.type == "cuda" else "the CPU itself"
    print(f"torch {torch.__version__}, {card}, {torch.get_num_threads()} threads")
    large(cpu, gpu)
    for name in CLASSES:
        for hand_in in sorted((SUBMISSIONS / name).glob("seed-*")):
            if time.monotonic() > end:
                print("out of time; the rest is left out")
                return
            compare(name, hand_in, cpu, gpu)


def compare(assignment_name: str, path: Path, cpu: Device, gpu: Device) -> None:
    plugins = Plugins.installed()
    assignment = load(assignment_name, plugins)
    (hand_in,) = discover([path], mode="single")
    with choose("auto").box() as box:
        submission = read_submission(hand_in, box.path, plugins.weight_formats)
        size = submission.settings.input_size or assignment.rules.submission.input_sizes[0]
        formats = plugins.weight_format_modules
        with SandboxedStudent(
            submission, assignment, box, SharedImages(None), format_modules=formats, input_size=size
        ) as student:
            student.open()
            if student.traced is None:
                print(f"{path.name:12} {assignment_name}: not verified: {student.verification.reason}")
                return
            rules, traced, weights = assignment.rules, student.traced, student.weights
    images = DataSets(assignment, plugins, "instructor").test(size)[0].images
    images = replace(images, pixels=images.pixels[: COMPARED if size < 128 else LARGE])
    try:
        there = gpu.network(traced, weights, rules)
    except CannotRun as error:
        print(f"{path.name:12} {assignment_name}: does not run there: {error}")
        return
    ours, theirs = cpu.network(traced, weights, rules).logits(images), there.logits(images)
    again = there.logits(images)
    differ = int((ours.argmax(1) != theirs.argmax(1)).sum())
    furthest = float((ours - theirs).abs().max() / ours.abs().max())
    repeats = "repeats" if torch.equal(theirs, again) else "DOES NOT REPEAT"
    print(
        f"{path.name:12} {assignment_name} at {size}: {differ} of {len(ours):,} classes differ, "
        f"logits by {furthest:.1e}; {repeats}",
        flush=True,
    )


def large(cpu: Device, gpu: Device) -> None:
    """A network of the size of HW7's, at 224x224."""
    shape, rules = (3, 224, 224), load("ntu-ml2020-hw7", Plugins.installed()).rules
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for before, after in ((3, 16), (16, 32), (32, 64), (64, 128), (128, 128)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU6(), nn.MaxPool2d(2)]
    module = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, rules.images.classes)).eval()
    done = trace(module, shape, rules.images.classes, 64)
    text = json.dumps(done.graph)
    traced = TracedNetwork(accepted(text.encode(), shape, rules.images.classes, 64), text, {})
    images = random_images(LARGE, 3, 224)
    seconds = {}
    for name, device in (("cpu", cpu), ("gpu", gpu)):
        network: DeviceNetwork = device.network(traced, module.state_dict(), rules)
        network.logits(random_images(64, 3, 224))  # kernels are loaded
        started = time.perf_counter()
        network.logits(images)
        seconds[name] = time.perf_counter() - started
    print(
        f"at 224x224, {LARGE} images: CPU {seconds['cpu']:.2f} s, there {seconds['gpu']:.2f} s, "
        f"{seconds['cpu'] / seconds['gpu']:.1f} times as fast",
        flush=True,
    )


def random_images(count: int, channels: int, size: int) -> Images:
    pixels = torch.randint(0, 256, (count, channels, size, size), generator=torch.Generator().manual_seed(0))
    return Images(pixels.to(torch.uint8), channels, (0.5,) * channels, (0.25,) * channels)


if __name__ == "__main__":
    main()
