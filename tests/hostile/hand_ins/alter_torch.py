# Opens torch's, Python's and the harness's own files for writing, for the next submission to import.
# expect: graded
import os
import sys

import numpy
import torch
from attack import Attack, attempt


class StudentNet(Attack):
    def attack(self):
        # Opening is proof enough: nothing is ever written to them.
        files = [torch.__file__, torch.nn.modules.linear.__file__, numpy.__file__, os.__file__, sys.executable]
        files += [sys.modules[name].__file__ for name in list(sys.modules) if name in ("harness", "harness.worker.model")]
        for path in files:
            attempt(f"append to {path}", os.open, path, os.O_WRONLY | os.O_APPEND)
        for path in files:
            attempt(f"a file beside {path}", self.beside, os.path.dirname(path))

    def beside(self, folder):
        path = f"{folder}/hostile-{os.getpid()}.tmp"
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        os.unlink(path)
        return path
