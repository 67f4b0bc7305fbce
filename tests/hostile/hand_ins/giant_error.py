# Raises an error with a text of fifty million characters.
# expect: crashed
# reason: ^RuntimeError: y{400,} at model.py line \d+
from attack import Attack


class StudentNet(Attack):
    def attack(self):
        raise RuntimeError("y" * 50_000_000)
