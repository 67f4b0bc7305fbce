"""Load an assignment's data sets once per input size, for all threads."""

from __future__ import annotations

import hashlib
import threading

import numpy as np
from numpy.typing import NDArray

from harness.assignment.loading import Assignment
from harness.data.images import digest, digest_of_pixels, load_examples, only, public_images
from harness.errors import UsageError
from harness.plugins import Plugins
from harness.submission.predictions import names_tell_classes, read_predictions
from harness.submission.reading import Submission
from harness.submission.signatures import file_signature
from harness.values.base import Audience
from harness.values.images import Examples, Images

CALIBRATION = "calibration"
"""The data set whose images recalibrate BatchNorm."""
_CALIBRATION_IMAGES = 1000


class DataSets:
    """Decoded data, loaded once per input size and shared by all threads."""

    def __init__(self, assignment: Assignment, plugins: Plugins, audience: Audience) -> None:
        self._assignment, self._plugins, self._audience = assignment, plugins, audience
        self._loaded: dict[int, tuple[Examples, NDArray[np.bool_]]] = {}
        self._all: Examples | None = None
        self._calibration: dict[int, Images] = {}
        self._lock = threading.Lock()

    def test(self, size: int) -> tuple[Examples, NDArray[np.bool_]]:
        """The graded examples at `size` pixels and which of them are public; a student gets the public ones only."""
        with self._lock:
            if size not in self._loaded:
                self._loaded[size] = self._load(size)
            return self._loaded[size]

    def calibration(self, size: int) -> Images | None:
        """Some of the training images for BatchNorm, if the assignment has any."""
        if CALIBRATION not in self._assignment.rules.data:
            return None
        with self._lock:
            if size not in self._calibration:
                datasets = self._plugins.datasets
                drawn = load_examples(self._assignment, CALIBRATION, size, datasets, sample=_CALIBRATION_IMAGES)
                self._calibration[size] = drawn.images
            return self._calibration[size]

    def digest(self, name: str) -> str:
        """Of the images of a data set at the default size, and of their labels and names where they are graded."""
        size = self._assignment.rules.submission.input_sizes[0]
        if name != CALIBRATION:
            return digest(self.test(size)[0])
        calibration = self.calibration(size)
        assert calibration is not None
        return digest_of_pixels(calibration)

    def signature(self, name: str) -> str:
        """Of what decides `digest`, without decoding an image: the files, and how they are read.

        Raises:
            UsageError: the folder cannot be listed.
        """
        rules, folder = self._assignment.rules, self._assignment.data_paths[name]
        how = rules.images.model_dump_json(exclude={"class_names", "mean", "std"})
        said = [name, rules.data[name].dataset, how, rules.submission.input_sizes[0], self._audience]
        try:
            files = file_signature([folder])
        except OSError as error:
            raise UsageError(f"data.{name} ({folder}): {error.strerror}") from error
        return hashlib.sha256(f"{said} {folder.resolve()} {files}".encode("utf-8", "surrogateescape")).hexdigest()

    def predicted(self, submission: Submission) -> NDArray[np.int64]:
        """The handed-in classes of the graded examples, in their order.

        Raises:
            SubmissionError: lines of the table are wrong, doubled or missing.
        """
        assert submission.predictions is not None
        graded, _ = self.test(self._assignment.rules.submission.input_sizes[0])
        assert self._all is not None
        # The whole table is checked, whatever part of it a student may see judged.
        shown = submission.predictions.as_posix()
        classes = read_predictions(submission.folder / submission.predictions, shown, self._all)
        by_name = dict(zip(self._all.names, classes, strict=True))
        return np.array([by_name[name] for name in graded.names], dtype=np.int64)

    def _load(self, size: int) -> tuple[Examples, NDArray[np.bool_]]:
        examples = load_examples(self._assignment, "test", size, self._plugins.datasets)
        if self._assignment.rules.submission.predictions and names_tell_classes(examples):
            raise UsageError(
                f"data.test ({self._assignment.data_paths['test']}): the file names begin with the class, such as "
                f"{examples.names[0]}: rename the images, or set predictions = false in [submission]"
            )
        self._all = examples
        public = public_images(examples.names, self._assignment.rules.data["test"])
        if self._audience == "instructor":
            return examples, public
        return only(examples, public), public[public]
