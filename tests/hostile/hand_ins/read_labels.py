# Reads the labels where the assignment keeps them, and looks for those that ship with the harness.
# expect: graded
import glob
import sys

from attack import Attack, attempt, content
from targets import DATA


class StudentNet(Attack):
    def attack(self):
        attempt("the assignment's labels", content, f"{DATA}/test-labels-idx1-ubyte")
        attempt("the assignment's images", content, f"{DATA}/test-images-idx3-ubyte")
        for folder in sys.path:
            for pattern in ("harness_fixtures/**/*labels*", "../fixtures/**/*labels*", "fixtures/**/*labels*"):
                for path in glob.glob(f"{folder}/{pattern}", recursive=True):
                    attempt("packaged labels", content, path)
