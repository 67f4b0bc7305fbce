"""IDX files, packed or not; what is wrong with one is said by name."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from builders import REPOSITORY, idx_bytes
from harness_datasets.idx import IdxDataset, read_idx

from harness.errors import UsageError

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 6, 7), dtype=np.uint8)
LABELS = np.array([3, 1, 4, 1, 5], dtype=np.uint8)


def write(folder: Path, prefix: str = "t10k", packed: bool = True, **replaced: bytes) -> Path:
    contents = {"images-idx3-ubyte": idx_bytes(PIXELS), "labels-idx1-ubyte": idx_bytes(LABELS)}
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
    write(tmp_path, "train", images=idx_bytes(PIXELS[:2]), labels=idx_bytes(LABELS[:2]))
    write(tmp_path, "t10k", packed=False)
    assert len(IdxDataset().load(tmp_path).labels) == 5


def test_the_shipped_images_are_the_published_ten_thousand():
    folder = REPOSITORY / "fixtures" / "data" / "fashion-mnist-test"
    found = IdxDataset().load(folder)
    assert np.bincount(found.labels).tolist() == [1000] * 10
    assert found.images[0].size == (28, 28)
    assert found.labels[:8].tolist() == [9, 2, 1, 1, 6, 1, 4, 6]


@pytest.mark.parametrize(
    ("replaced", "complaint"),
    [
        ({"images": b"PK" + idx_bytes(PIXELS)[2:]}, "not an IDX file of unsigned bytes in 3 dimension"),
        ({"images": bytes([0, 0, 0x0D, 3]) + idx_bytes(PIXELS)[4:]}, "not an IDX file of unsigned bytes"),
        ({"images": idx_bytes(LABELS)}, "not an IDX file of unsigned bytes in 3 dimension"),
        ({"labels": idx_bytes(PIXELS)}, "not an IDX file of unsigned bytes in 1 dimension"),
        ({"images": b""}, "not an IDX file"),
        ({"images": idx_bytes(PIXELS)[:6]}, "not an IDX file"),
        ({"images": idx_bytes(PIXELS)[:-1]}, r"209 bytes of data, but its header says \(5, 6, 7\)"),
        ({"images": idx_bytes(PIXELS) + b"x"}, "211 bytes of data"),
        ({"images": bytes([0, 0, 8, 3]) + b"\xff" * 12 + b"x"}, "1 bytes of data, but its header says"),
        ({"labels": idx_bytes(LABELS[:4])}, "5 images but 4 labels"),
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
