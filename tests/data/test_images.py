"""Decoded images, against torchvision's own pipeline, and the public part of a data set."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import result_fakes
import torch
from harness_datasets import image_folder as harness_image_folder
from PIL import Image, ImageCms
from torch import nn

from harness.api import Images
from harness.data.images import digest, load_examples, only, public_part
from harness.errors import UsageError
from harness.networks.remote import batches_of
from harness.plugins import Plugins
from harness.torchvision_import import import_torchvision
from harness.worker.model import Model

T = import_torchvision().transforms
DATASETS = Plugins.of(harness_image_folder).datasets
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Colour, grey, palette and transparent pictures of different shapes."""
    generator = np.random.default_rng(0)
    shapes = {"0_0": (40, 60, 3), "0_1": (61, 37, 3), "1_0": (24, 24), "1_1": (17, 90, 3), "2_0": (33, 33, 4)}
    for name, shape in shapes.items():
        picture = Image.fromarray(generator.integers(0, 256, shape, dtype=np.uint8))
        picture.save(tmp_path / f"{name}.{'jpg' if len(shape) == 3 and shape[2] == 3 else 'png'}")
    Image.fromarray(generator.integers(0, 256, (50, 50, 3), dtype=np.uint8)).quantize(16).save(tmp_path / "2_1.png")
    return tmp_path


def assignment(folder: Path, **images):
    rules = {"classes": 3, "channels": 3, "resize": "stretch", "mean": MEAN, "std": STD, **images}
    data = {"test": {"id": "pictures", "dataset": "food11", "path": "data"}}
    return replace(result_fakes.assignment(images=rules, data=data), data_paths={"test": folder})


def seen_by_the_network(images: Images, size: int) -> torch.Tensor:
    """What reaches a student's forward: the worker runs a network that only flattens."""
    numbers = images.channels * size * size
    logits = torch.empty(len(images.pixels), numbers)
    model = Model(nn.Flatten(), (images.channels, size, size))
    facts = batches_of(images, 4)
    model.forward(images.pixels, logits, facts)
    return logits.view(-1, images.channels, size, size)


def by_torchvision(folder: Path, mode: str, *steps) -> torch.Tensor:
    pipeline = T.Compose(steps)
    return torch.stack([pipeline(Image.open(path).convert(mode)) for path in sorted(folder.iterdir())])


@pytest.mark.parametrize("size", [20, 64])
def test_stretched_images_are_those_of_torchvision_bit_by_bit(folder, size):
    found = load_examples(assignment(folder), "test", size, DATASETS)
    expected = by_torchvision(folder, "RGB", T.Resize((size, size)), T.ToTensor(), T.Normalize(MEAN, STD))
    assert torch.equal(seen_by_the_network(found.images, size), expected)
    assert found.images.pixels.dtype == torch.uint8
    assert found.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert [name.partition(".")[0] for name in found.names] == ["0_0", "0_1", "1_0", "1_1", "2_0", "2_1"]


def test_center_crops_are_those_of_torchvision_bit_by_bit(folder):
    found = load_examples(assignment(folder, resize="center_crop"), "test", 24, DATASETS)
    steps = (T.Resize(24), T.CenterCrop(24), T.ToTensor(), T.Normalize(MEAN, STD))
    assert torch.equal(seen_by_the_network(found.images, 24), by_torchvision(folder, "RGB", *steps))


@pytest.mark.parametrize(("size", "whole"), [(24, 31), (20, 64), (23, 40), (28, 28)])
@pytest.mark.parametrize("resize", ["stretch", "center_crop"])
def test_images_cut_out_of_larger_ones_are_those_of_torchvision_bit_by_bit(folder, resize, size, whole):
    found = load_examples(assignment(folder, resize=resize, crop_from=whole), "test", size, DATASETS)
    first = T.Resize(whole) if resize == "center_crop" else T.Resize((whole, whole))
    steps = (first, T.CenterCrop(size), T.ToTensor(), T.Normalize(MEAN, STD))
    assert torch.equal(seen_by_the_network(found.images, size), by_torchvision(folder, "RGB", *steps))


def test_grey_networks_get_torchvisions_grey(folder):
    found = load_examples(assignment(folder, channels=1, mean=[0.5], std=[0.25]), "test", 16, DATASETS)
    expected = by_torchvision(folder, "L", T.Resize((16, 16)), T.ToTensor(), T.Normalize((0.5,), (0.25,)))
    assert found.images.pixels.shape == (6, 1, 16, 16)
    assert torch.equal(seen_by_the_network(found.images, 16), expected)


def test_grey_images_are_repeated_to_three_channels(folder):
    for path in folder.iterdir():
        path.unlink() if path.stem != "1_0" else None
    pixels = load_examples(assignment(folder, resize="none"), "test", 24, DATASETS).images.pixels
    grey = torch.from_numpy(np.array(Image.open(folder / "1_0.png")))
    assert torch.equal(pixels, grey.expand(1, 3, 24, 24))
    # The worker does the same to one channel, whoever stored it.
    one = Images(pixels[:, :1].clone(), 3, MEAN, STD)
    assert torch.equal(seen_by_the_network(one, 24), seen_by_the_network(replace(one, pixels=pixels), 24))


def test_unsized_images_of_another_size_are_refused_by_name(folder):
    with pytest.raises(UsageError, match=r"0_0\.jpg has 60x40 pixels, not 24x24; set images\.resize"):
        load_examples(assignment(folder, resize="none"), "test", 24, DATASETS)


def test_labels_outside_the_classes_are_refused_together(folder):
    for name in ("7_0", "9_3"):
        Image.new("RGB", (8, 8)).save(folder / f"{name}.png")
    with pytest.raises(UsageError, match=r"labels \[7, 9\] are outside 0…2"):
        load_examples(assignment(folder), "test", 8, DATASETS)


@pytest.mark.parametrize("damage", ["truncated", "nonsense"])
def test_a_broken_image_is_named(folder, damage):
    victim = folder / "1_1.jpg"
    data = victim.read_bytes()
    victim.write_bytes(data[: len(data) // 2] if damage == "truncated" else b"not an image at all")
    with pytest.raises(UsageError, match=r"1_1\.jpg cannot be decoded"):
        load_examples(assignment(folder), "test", 8, DATASETS)


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_in_other_colour_spaces_are_read_by_way_of_rgb(folder, channels):
    for path in folder.iterdir():
        path.unlink()
    spaces = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    red = Image.new("RGB", (8, 8), (200, 10, 10))
    ImageCms.profileToProfile(red, *spaces, outputMode="LAB").save(folder / "0_0.tif")
    rules = assignment(folder, channels=channels, mean=MEAN[:channels], std=STD[:channels])
    found = load_examples(rules, "test", 8, DATASETS).images.pixels
    # ITU-R 601-2: L = (299 R + 587 G + 114 B) / 1000; LAB has 8 bits too, so a few levels are lost.
    expected = [200, 10, 10] if channels == 3 else [(299 * 200 + 587 * 10 + 114 * 10) / 1000]
    assert found[0, :, 4, 4].tolist() == pytest.approx(expected, abs=5)


@pytest.mark.parametrize("error", [SyntaxError("bad header"), Image.DecompressionBombError("too large"), KeyError(7)])
def test_whatever_pillow_raises_names_the_image(folder, error, monkeypatch):
    def broken(*_):
        raise error

    monkeypatch.setattr(Image.Image, "convert", broken)
    with pytest.raises(UsageError, match=r"0_0\.jpg cannot be decoded"):
        load_examples(assignment(folder), "test", 8, DATASETS)


def test_grey_comes_before_resizing_and_exif_is_not_followed(folder):
    """A picture on its side stays there, as `Image.open` leaves it."""
    for path in folder.iterdir():
        path.unlink()
    generator = np.random.default_rng(1)
    turned = Image.Exif()
    turned[0x0112] = 6
    picture = Image.fromarray(generator.integers(0, 256, (30, 50, 3), dtype=np.uint8))
    picture.save(folder / "0_0.png", exif=turned)
    found = load_examples(assignment(folder, channels=1, mean=[0], std=[1]), "test", 9, DATASETS).images.pixels
    before, after = picture.convert("L").resize((9, 9), 2), picture.resize((9, 9), 2).convert("L")
    assert np.array_equal(found[0, 0], before)
    assert not np.array_equal(before, after)


NAMES = tuple(f"{index % 11}_{index}.jpg" for index in range(660))


@pytest.mark.parametrize(("fraction", "expected"), [(0.5, 330), (0.1, 66), (0.333, 220), (0.0001, 1), (0.999, 659)])
def test_the_public_part_has_the_right_share(fraction, expected):
    assert public_part(NAMES, fraction).sum() == expected


def test_without_a_split_everything_is_public():
    assert public_part(NAMES, None).all()


def test_the_public_part_depends_on_names_alone():
    chosen = dict(zip(NAMES, public_part(NAMES, 0.5), strict=True))
    shuffled = list(NAMES)
    random.Random(1).shuffle(shuffled)
    assert dict(zip(shuffled, public_part(tuple(shuffled), 0.5), strict=True)) == chosen
    assert dict(zip(NAMES, public_part(NAMES, 0.5), strict=True)) == chosen
    assert {name for name, public in chosen.items() if public} != set(NAMES[:330])
    # A larger share adds images and takes none away, so nobody's public images become private.
    larger = public_part(NAMES, 0.75)
    assert all(more or not chosen[name] for name, more in zip(NAMES, larger, strict=True))


def test_the_public_part_is_the_same_on_every_machine():
    # By hand: sha256("public split:<name>") of 0.jpg … 5.jpg starts with these bytes; the three smallest are public.
    import hashlib

    names = tuple(f"{index}.jpg" for index in range(6))
    keys = {name: hashlib.sha256(b"public split:" + name.encode()).hexdigest() for name in names}
    smallest = sorted(names, key=keys.__getitem__)[:3]
    assert [name for name, public in zip(names, public_part(names, 0.5), strict=True) if public] == sorted(smallest)


def test_only_keeps_images_labels_and_names_together(folder):
    found = load_examples(assignment(folder), "test", 8, DATASETS)
    mask = np.array([True, False, False, True, True, False])
    kept = only(found, mask)
    assert kept.labels.tolist() == [0, 1, 2]
    assert kept.names == tuple(name for name, chosen in zip(found.names, mask, strict=True) if chosen)
    assert torch.equal(kept.images.pixels, found.images.pixels[[0, 3, 4]])
    assert (kept.classes, kept.images.mean, kept.images.std) == (3, MEAN, STD)


def test_the_digest_tells_of_every_pixel_label_and_name(folder):
    def found(**changes):
        loaded = replace(load_examples(assignment(folder), "test", 8, DATASETS), **changes)
        return digest(loaded)

    original = load_examples(assignment(folder), "test", 8, DATASETS)
    pixels = original.images.pixels.clone()
    pixels[3, 2, 7, 7] ^= 1
    labels = original.labels.copy()
    labels[[0, -1]] = labels[[-1, 0]]
    others = [
        found(images=replace(original.images, pixels=pixels)),
        found(labels=labels),
        found(names=("renamed", *original.names[1:])),
        digest(load_examples(assignment(folder), "test", 16, DATASETS)),
    ]
    assert found() == digest(original)
    assert len({digest(original), *others}) == 5


def test_a_sample_is_evenly_spaced_and_shuffled_always_the_same_way(tmp_path):
    for label in range(3):
        for number in range(20):
            Image.new("L", (4, 4), 60 * label + number).save(tmp_path / f"{label}_{number}.png")
    drawn = load_examples(assignment(tmp_path), "test", 4, DATASETS, sample=30)
    assert sorted(drawn.names) == sorted(f"{label}_{number}.png" for label in range(3) for number in range(0, 20, 2))
    assert np.any(np.diff(drawn.labels) < 0)  # on disk they are sorted by class
    for name, label, pixels in zip(drawn.names, drawn.labels, drawn.images.pixels, strict=True):
        assert name.startswith(f"{label}_")
        assert int(pixels[0, 0, 0]) == 60 * label + int(name[2:-4])
    again = load_examples(assignment(tmp_path), "test", 4, DATASETS, sample=30)
    assert again.names == drawn.names
    assert len(load_examples(assignment(tmp_path), "test", 4, DATASETS, sample=99).names) == 60
