"""What is handed out holds every public image and no other, and is the same assignment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders import SIZE, noise, write_assignment, write_idx
from PIL import Image

from harness.assignment.loading import Assignment, load
from harness.data.data_sets import DataSets
from harness.data.handout import hand_out
from harness.errors import UsageError
from harness.plugins import Plugins

PLUGINS = Plugins.installed()
IMAGES = 40


def course(folder: Path, kind: str) -> Assignment:
    """Forty images in four classes, a quarter of them public."""
    pixels, labels = noise(IMAGES)
    if kind == "idx":
        write_idx(folder / "data", pixels, labels)
    for number, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        name = {"food11": f"{label}_{number}.png", "image_folder": f"class {label}/{number}.png"}.get(kind)
        if name:
            (folder / "data" / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / "data" / name)
    test = {"id": "noise", "dataset": kind, "path": "data", "public_fraction": 0.25}
    return load(str(write_assignment(folder, data={"test": test})), PLUGINS)


@pytest.mark.parametrize("kind", ["idx", "food11", "image_folder"])
def test_the_public_images_are_those_that_students_see_in_the_course(tmp_path: Path, kind: str) -> None:
    given = course(tmp_path, kind)
    hand_out(given, PLUGINS, tmp_path / "kit")
    kit = load(str(tmp_path / "kit" / "assignment.toml"), PLUGINS)
    at_home, public = DataSets(kit, PLUGINS, "instructor").test(SIZE)
    seen, _ = DataSets(given, PLUGINS, "student").test(SIZE)
    every, shown = DataSets(given, PLUGINS, "instructor").test(SIZE)
    assert public.all()
    assert len(at_home.labels) == IMAGES / 4
    np.testing.assert_array_equal(at_home.images.pixels, seen.images.pixels)
    np.testing.assert_array_equal(at_home.labels, seen.labels)
    private = {
        image.numpy().tobytes() for image, is_public in zip(every.images.pixels, shown, strict=True) if not is_public
    }
    kept = b"".join(file.read_bytes() for file in (tmp_path / "kit").rglob("*") if file.is_file())
    if kind == "idx":
        assert not [image for image in private if image[: SIZE * SIZE] in kept]
    else:
        files = {file.name for file in (tmp_path / "kit" / "images").rglob("*.png")}
        assert files == {Path(name).name for name in seen.names}


def test_rules_are_the_same_and_what_is_given_out_is_listed(tmp_path: Path) -> None:
    given = course(tmp_path, "idx")
    (tmp_path / "notes.ipynb").write_text("{}")
    written = hand_out(given, PLUGINS, tmp_path / "kit", [tmp_path / "notes.ipynb"])
    assert written == ["README.md", "assignment.toml", "images", "model.py", "starter"]
    kit = load(str(tmp_path / "kit" / "assignment.toml"), PLUGINS)
    assert kit.rules.submission.starter == ("starter/notes.ipynb",)
    left = {"data", "submission"}
    assert kit.rules.model_dump(exclude=left) == given.rules.model_dump(exclude=left)
    assert "harness check assignment.toml" in (tmp_path / "kit" / "README.md").read_text()
    compile((tmp_path / "kit" / "model.py").read_text(), "model.py", "exec")


@pytest.mark.parametrize("name", ["nycu-ds2023-hw2", "ntu-ml2020-hw7"])
def test_shipped_assignments_can_be_handed_out_from_anywhere(tmp_path: Path, name: str) -> None:
    hand_out(load(name, PLUGINS), PLUGINS, tmp_path / "kit")
    (tmp_path / "kit").rename(tmp_path / "elsewhere")
    kit = load(str(tmp_path / "elsewhere" / "assignment.toml"), PLUGINS)
    assert {each.is_relative_to(tmp_path / "elsewhere") for each in kit.data_paths.values()} == {True}


def test_nothing_is_overwritten_and_missing_files_are_named(tmp_path: Path) -> None:
    given = course(tmp_path, "idx")
    with pytest.raises(UsageError, match=r"gone\.py: no such file"):
        hand_out(given, PLUGINS, tmp_path / "kit", [tmp_path / "gone.py"])
    with pytest.raises(UsageError, match="holds something already"):
        hand_out(given, PLUGINS, tmp_path / "kit")
