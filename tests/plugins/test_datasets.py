"""Data folders: IDX files, image folders, Food-11's names; what is wrong with one is said by name."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from harness_datasets.idx import IdxDataset, read_idx
from harness_datasets.image_folder import Food11, ImageFolder
from PIL import Image

from harness.errors import UsageError
from harness.torchvision_import import import_torchvision

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 6, 7), dtype=np.uint8)
LABELS = np.array([3, 1, 4, 1, 5], dtype=np.uint8)


def idx(array: np.ndarray) -> bytes:
    """From the format's own description: two zeros, type 8, dimensions, big-endian sizes, bytes in C order."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def write(folder: Path, prefix: str = "t10k", packed: bool = True, **replaced: bytes) -> Path:
    contents = {"images-idx3-ubyte": idx(PIXELS), "labels-idx1-ubyte": idx(LABELS)}
    for kind, content in contents.items():
        data = replaced.get(kind.partition("-")[0], content)
        name = f"{prefix}-{kind}{'.gz' if packed else ''}"
        (folder / name).write_bytes(gzip.compress(data) if packed else data)
    return folder


@pytest.mark.parametrize("packed", [True, False])
def test_idx_files_packed_or_not(tmp_path, packed):
    found = IdxDataset().load(write(tmp_path, packed=packed))
    assert found.labels.tolist() == LABELS.tolist()
    assert found.labels.dtype == np.int64
    assert found.names == ("0", "1", "2", "3", "4")
    assert np.array_equal(np.stack([np.asarray(image) for image in found.images]), PIXELS)
    assert found.images[2].size == (7, 6)
    assert [np.asarray(image).tolist() for image in found.images[1:3]] == PIXELS[1:3].tolist()


def test_the_test_set_is_taken_where_both_sets_lie(tmp_path):
    write(tmp_path, "train", images=idx(PIXELS[:2]), labels=idx(LABELS[:2]))
    write(tmp_path, "t10k", packed=False)
    assert len(IdxDataset().load(tmp_path).labels) == 5


def test_the_shipped_images_are_the_published_ten_thousand():
    folder = Path(__file__).parents[2] / "fixtures" / "data" / "fashion-mnist-test"
    found = IdxDataset().load(folder)
    assert np.bincount(found.labels).tolist() == [1000] * 10
    assert found.images[0].size == (28, 28)
    assert found.labels[:8].tolist() == [9, 2, 1, 1, 6, 1, 4, 6]


@pytest.mark.parametrize(
    ("replaced", "complaint"),
    [
        ({"images": b"PK" + idx(PIXELS)[2:]}, "not an IDX file of unsigned bytes in 3 dimension"),
        ({"images": bytes([0, 0, 0x0D, 3]) + idx(PIXELS)[4:]}, "not an IDX file of unsigned bytes"),
        ({"images": idx(LABELS)}, "not an IDX file of unsigned bytes in 3 dimension"),
        ({"labels": idx(PIXELS)}, "not an IDX file of unsigned bytes in 1 dimension"),
        ({"images": b""}, "not an IDX file"),
        ({"images": idx(PIXELS)[:6]}, "not an IDX file"),
        ({"images": idx(PIXELS)[:-1]}, r"209 bytes of data, but its header says \(5, 6, 7\)"),
        ({"images": idx(PIXELS) + b"x"}, "211 bytes of data"),
        ({"images": bytes([0, 0, 8, 3]) + b"\xff" * 12 + b"x"}, "1 bytes of data, but its header says"),
        ({"labels": idx(LABELS[:4])}, "5 images but 4 labels"),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_broken_idx_files(tmp_path, replaced, complaint, packed):
    with pytest.raises(UsageError, match=complaint):
        IdxDataset().load(write(tmp_path, packed=packed, **replaced))


@pytest.mark.parametrize("keep", [0, 9, 40])
def test_a_broken_gzip_file(tmp_path, keep):
    path = write(tmp_path) / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:keep] if keep else b"not gzip")
    with pytest.raises(UsageError, match=r"t10k-images-idx3-ubyte\.gz"):
        read_idx(path, dimensions=3)


def test_a_gzip_file_damaged_inside(tmp_path):
    path = write(tmp_path) / "t10k-images-idx3-ubyte.gz"
    data = bytearray(path.read_bytes())
    data[12:60] = bytes(48)
    path.write_bytes(data)
    with pytest.raises(UsageError, match=r"t10k-images-idx3-ubyte\.gz"):
        read_idx(path, dimensions=3)


def test_missing_and_ambiguous_idx_files(tmp_path):
    with pytest.raises(UsageError, match=r"expected one file …images-idx3-ubyte or …images-idx3-ubyte\.gz, found none"):
        IdxDataset().load(tmp_path)
    write(tmp_path, "one")
    write(tmp_path, "two")
    with pytest.raises(UsageError, match=r"found one-images-idx3-ubyte\.gz, two-images-idx3-ubyte\.gz"):
        IdxDataset().load(tmp_path)


def picture(path: Path, shade: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (shade, shade, shade)).save(path)


def test_image_folders_are_numbered_as_torchvision_does(tmp_path):
    for shade, name in enumerate(["cat/b.png", "cat/a.png", "Dog/x.png", "ant/deep/y.png"]):
        picture(tmp_path / name, shade)
    (tmp_path / "cat" / "notes.txt").write_text("not an image")
    found = ImageFolder().load(tmp_path)
    expected = import_torchvision().datasets.ImageFolder(str(tmp_path))
    assert found.labels.tolist() == [label for _, label in expected.samples] == [0, 1, 2, 2]
    assert found.names == ("Dog/x.png", "ant/deep/y.png", "cat/a.png", "cat/b.png")
    assert [image.getpixel((0, 0))[0] for image in found.images] == [2, 3, 1, 0]
    assert [image.getpixel((0, 0))[0] for image in found.images[2:]] == [1, 0]


def test_an_image_folder_without_classes_or_with_an_empty_one(tmp_path):
    with pytest.raises(UsageError, match="expected one sub-folder of images per class"):
        ImageFolder().load(tmp_path)
    picture(tmp_path / "cat" / "a.png")
    (tmp_path / "dog").mkdir()
    with pytest.raises(UsageError, match="expected one sub-folder of images per class"):
        ImageFolder().load(tmp_path)


def test_food11_is_sorted_by_class_and_id_as_numbers(tmp_path):
    names = ["10_2.jpg", "2_10.jpg", "2_9.jpg", "0_100.jpg", "0_20.JPG", "10_1.jpg"]
    for shade, name in enumerate(names):
        picture(tmp_path / name, 40 * shade)
    (tmp_path / "README.txt").write_text("about the data")
    found = Food11().load(tmp_path)
    assert found.names == ("0_20.JPG", "0_100.jpg", "2_9.jpg", "2_10.jpg", "10_1.jpg", "10_2.jpg")
    assert found.labels.tolist() == [0, 0, 2, 2, 10, 10]
    shades = [image.getpixel((0, 0))[0] for image in found.images]
    assert shades == pytest.approx([160, 120, 80, 40, 200, 0], abs=3)


@pytest.mark.parametrize("name", ["cat_1.jpg", "0_1_2.png", "0001.jpg", "-1_2.jpg", "0_1 (2).jpg"])
def test_food11_refuses_other_names(tmp_path, name):
    picture(tmp_path / "0_1.jpg")
    picture(tmp_path / name)
    with pytest.raises(UsageError) as refused:
        Food11().load(tmp_path)
    assert f"expected files named {{class}}_{{id}}.jpg, found 1 others such as {name}" in str(refused.value)


def test_food11_without_images(tmp_path):
    with pytest.raises(UsageError, match="found no image files"):
        Food11().load(tmp_path)


def test_the_stand_in_has_eleven_classes():
    found = Food11().load(Path(__file__).parents[2] / "fixtures" / "stand_in" / "validation")
    assert set(found.labels.tolist()) == set(range(11))
    assert len(found.names) == len(set(found.names))
