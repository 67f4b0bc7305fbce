"""The example classes, against an evaluation that shares no code with the harness."""

from __future__ import annotations

import gzip
import importlib.util
import pickle
import struct
from collections.abc import Mapping
from pathlib import Path

import hand_ins
import numpy as np
import pytest
import torch
from builders import REPOSITORY, SUBMISSIONS
from hand_ins import graded, sandbox_called
from PIL import Image
from torch import nn

from harness.assignment.loading import load
from harness.torchvision_import import import_torchvision
from harness.values.results import Result

torch.set_num_threads(1)


def idx(path: Path, dimensions: int) -> np.ndarray:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    assert struct.unpack(">HBB", data[:4]) == (0, 8, dimensions)
    shape = struct.unpack(f">{dimensions}I", data[4 : 4 + 4 * dimensions])
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def built(folder: Path) -> nn.Module:
    spec = importlib.util.spec_from_file_location(f"independent_{folder.name.replace('-', '_')}", folder / "model.py")
    source = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(source)
    module = source.StudentNet()
    module.load_state_dict(state_of(folder))
    return module.eval()


def state_of(folder: Path) -> Mapping[str, torch.Tensor]:
    (file,) = [path for path in folder.iterdir() if path.suffix in (".pt", ".pth", ".bin", ".pkl")]
    if file.suffix == ".pkl":
        raw = pickle.loads(file.read_bytes())
        return {name: torch.tensor(dequantised(value)).float() for name, value in raw.items()}
    content = torch.load(file, weights_only=False, map_location="cpu")
    content = content.get("model_state_dict", content)
    return {name.removeprefix("module."): each.float() for name, each in content.items()}


def dequantised(value: object) -> np.ndarray:
    if isinstance(value, tuple):
        low, high, levels = value
        return levels.astype(np.float64) / 255 * (high - low) + low
    return np.asarray(value, dtype=np.float64)


def agrees(result: Result, module: nn.Module, images: torch.Tensor, labels: np.ndarray) -> None:
    """Same class for each image, unless two logits are equal to within rounding."""
    with torch.no_grad():
        logits = torch.cat([module(batch) for batch in images.split(500)])
    best = logits.topk(2, dim=1).values
    differs = torch.tensor(result.predictions) != logits.argmax(1)
    assert not differs[best[:, 0] - best[:, 1] > 1e-4].any()
    assert differs.sum() <= 2
    assert result.metrics["accuracy"].value == np.mean(np.array(result.predictions) == labels)
    assert result.metrics["accuracy"].value == pytest.approx(
        (logits.argmax(1).numpy() == labels).mean(), abs=2.5 / len(labels)
    )


PUBLISHED = {
    "ntu-ml2020-hw7": {
        "seed-000": 277_963, "seed-004-final": 120_859, "seed-004-conv": 242_203, "seed-004-depthwise": 161_819,
        "seed-004-depthwise-1mb": 239_899, "seed-004-group2": 163_259, "seed-004-group8-1mb": 237_043,
    },
    "nycu-ds2023-hw2": {"seed-001": 95_386, "seed-002": 85_956},
    "ntu-ml2023-hw13": {"seed-003": 99_060},
}  # fmt: skip


@pytest.fixture(scope="module")
def examples() -> dict[str, Result]:
    """All ten example networks; what takes long and is tested elsewhere only where NYCU's whole rubric is."""
    sandbox = sandbox_called("bwrap")
    results: dict[str, Result] = {}
    long = {"kd_loss", "pruning_curve", "compare", "integrity"}
    for name, networks in PUBLISHED.items():
        assignment = load(name, hand_ins.PLUGINS)
        if not name.startswith("nycu"):
            assignment = hand_ins.only_evaluators(assignment, lambda each: each not in long)
        results |= graded(assignment, [SUBMISSIONS / name / each for each in networks], sandbox)
    return results


@pytest.mark.parametrize(("name", "published"), [pair for each in PUBLISHED.values() for pair in each.items()])
def test_the_published_parameter_counts(examples, name, published):
    result = examples[name]
    assert (result.status, result.reason) == ("graded", None)
    for kind in ("parameters", "parameters_torchinfo", "parameters_stored"):
        assert result.metrics[kind].value == published


@pytest.mark.parametrize("name", ["seed-001", "seed-002"])
def test_fashion_mnist_accuracy_image_by_image(examples, name):
    data = REPOSITORY / "fixtures" / "data" / "fashion-mnist-test"
    pixels = torch.tensor(idx(data / "t10k-images-idx3-ubyte.gz", 3)).float() / 255
    images = ((pixels - 0.5) / 0.5)[:, None].repeat(1, 3, 1, 1)
    labels = idx(data / "t10k-labels-idx1-ubyte.gz", 1)
    assert len(labels) == 10_000
    agrees(examples[name], built(SUBMISSIONS / "nycu-ds2023-hw2" / name), images, labels)


@pytest.mark.parametrize("name", ["seed-000", "seed-004-final"])
def test_stand_in_accuracy_image_by_image(examples, name):
    transforms = import_torchvision().transforms
    pipeline = transforms.Compose([transforms.Resize((64, 64)), transforms.ToTensor()])
    files = (REPOSITORY / "fixtures" / "stand_in" / "validation").glob("*.jpg")
    paths = sorted(files, key=lambda path: tuple(map(int, path.stem.split("_"))))
    images = torch.stack([pipeline(Image.open(path).convert("RGB")) for path in paths])
    labels = np.array([int(path.stem.partition("_")[0]) for path in paths])
    agrees(examples[name], built(SUBMISSIONS / "ntu-ml2020-hw7" / name), images, labels)


def test_a_good_hand_in_gets_all_points(examples):
    for name in ("seed-001", "seed-002"):
        result = examples[name]
        assert (result.score, result.max_score) == (45, 45)
        assert {check.name for check in result.checks if check.verdict == "passed"} >= {
            "parameter_limit", "kd_loss", "accuracy_baseline",
        }  # fmt: skip
        assert [check for check in result.checks if check.verdict == "failed"] == []
        size = (SUBMISSIONS / "nycu-ds2023-hw2" / name).glob("weights.pt*")
        assert result.metrics["stored_bytes"].value == next(size).stat().st_size


def test_hw7_sizes_are_those_of_the_files_and_fit(examples):
    for name in PUBLISHED["ntu-ml2020-hw7"]:
        folder = SUBMISSIONS / "ntu-ml2020-hw7" / name
        (file,) = [path for path in folder.iterdir() if path.suffix in (".pkl", ".bin")]
        assert examples[name].metrics["stored_bytes"].value == file.stat().st_size <= 300_000
        assert {check.name: check.verdict for check in examples[name].checks}["weights_size"] == "passed"


def test_seed_003_breaks_the_limit_it_claims_to_meet_and_meets_last_years(examples):
    checks = {check.name: check for check in examples["seed-003"].checks}
    assert checks["parameter_limit"].verdict == "failed"
    assert "99,060 parameters, over the limit of 60,000" in checks["parameter_limit"].reason
    assert checks["claims"].verdict == "failed"
    assert "MiB" in checks["claims"].hint
    assert examples["seed-003"].score == 0
    assert {line.points for line in examples["seed-003"].points} == {0}

    before = hand_ins.only_evaluators(load("ntu-ml2022-hw13", hand_ins.PLUGINS), lambda name: name == "parameter_limit")
    path = SUBMISSIONS / "ntu-ml2023-hw13" / "seed-003"
    (check,) = graded(before, [path], sandbox_called("bwrap"))["seed-003"].checks
    assert (check.verdict, check.reason) == ("passed", "99,060 of at most 100,000 parameters")


def test_public_and_private_figures_are_of_the_whole(examples):
    metrics = examples["seed-003"].metrics
    public, private = metrics["accuracy_public"].value, metrics["accuracy_private"].value
    assert (public + private) / 2 == pytest.approx(metrics["accuracy"].value, abs=0.01)
