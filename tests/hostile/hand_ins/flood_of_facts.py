# Reports layers, sources and notes of megabytes, as large as an answer may be.
# expect: graded
import sys

from attack import Attack


class Said(dict):
    def model_dump(self, **_):
        return dict(self)


class StudentNet(Attack):
    def attack(self):
        for name, module in list(sys.modules.items()):
            for each in list(vars(module).values()) if name.startswith("harness.worker") else ():
                if isinstance(each, type) and "describe" in vars(each):
                    each.describe = lambda *_, **__: Said({
                        "torchinfo": 772,
                        "torchinfo_error": "e" * 1_000_000,
                        "mult_adds": 1,
                        "layers": [["n" * 500, "k" * 500, [1] * 50, 1]] * 3000,
                    })
