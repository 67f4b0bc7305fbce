# Alters its own staged copy, so that what was digested is not what is graded.
# expect: graded
import os

from attack import Attack, attempt


class StudentNet(Attack):
    def attack(self):
        for name in ("model.py", "weights.pt"):
            attempt(f"open {name}", os.open, name, os.O_WRONLY)
            attempt(f"remove {name}", os.unlink, name)
            attempt(f"chmod {name}", os.chmod, name, 0o777)
            attempt(f"replace {name}", os.rename, name, name + "x")
        attempt("a new file", os.open, "new.py", os.O_CREAT | os.O_WRONLY)
