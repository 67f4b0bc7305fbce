"""The same checks as a Gradescope autograder: a test case, run by gradescope-utils, once for each submission.

python benchmarks/gradescope_tests.py SUBMISSION
"""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

from by_hand import grade, test_set
from gradescope_utils.autograder_utils.decorators import number, weight
from gradescope_utils.autograder_utils.json_test_runner import JSONTestRunner


class Submission(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        images, labels = test_set()
        cls.parameters, cls.right, cls.accuracy = grade(Path(sys.argv[1]), images, labels, 500)

    @weight(1)
    @number("1")
    def test_parameters(self) -> None:
        self.assertLessEqual(self.parameters, 100_000)

    @weight(1)
    @number("2")
    def test_kd_loss(self) -> None:
        self.assertTrue(self.right)

    @weight(1)
    @number("3")
    def test_accuracy(self) -> None:
        self.assertGreaterEqual(self.accuracy, 0.8389)


if __name__ == "__main__":
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Submission)
    JSONTestRunner(visibility="visible", stream=sys.stdout).run(suite)
