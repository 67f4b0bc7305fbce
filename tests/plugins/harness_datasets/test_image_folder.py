"""Image folders and Food-11's names; what is wrong with one is said by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import REPOSITORY
from harness_datasets.image_folder import Food11, ImageFolder
from PIL import Image

from harness.errors import UsageError
from harness.torchvision_import import import_torchvision


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
    found = Food11().load(REPOSITORY / "fixtures" / "stand_in" / "validation")
    assert set(found.labels.tolist()) == set(range(11))
    assert len(found.names) == len(set(found.names))
