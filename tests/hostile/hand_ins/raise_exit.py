# Raises what is no Exception.
# expect: crashed
# reason: ^SystemExit: 0 at model.py
from attack import Attack


class StudentNet(Attack):
    def attack(self):
        raise SystemExit(0)
