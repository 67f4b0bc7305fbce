# Replaces what the harness's own code reports about the network by numbers that are none.
# expect: crashed
# reason: wrote over its own answers
import sys

from attack import Attack


class Said(dict):
    def model_dump(self, **_):
        return dict(self)


class StudentNet(Attack):
    def attack(self):
        facts = {"torchinfo": float("nan"), "torchinfo_error": None, "mult_adds": -(10**400), "layers": [["\ud800"] * 9, 7]}
        for name, module in list(sys.modules.items()):
            for each in list(vars(module).values()) if name.startswith("harness.worker") else ():
                if isinstance(each, type) and "describe" in vars(each):
                    each.describe = lambda *_, **__: Said(facts)
