"""Import torchvision beside a torch it was not compiled for.

PyPI's torchvision on a CPU-only torch cannot load its compiled operators, and `import torchvision` fails while it
registers shapes for operators that do not exist. Models, data sets and transforms need none of them, so the missing
schemas are declared and the import is tried again.
"""

from __future__ import annotations

import importlib
import re
import sys
from types import ModuleType
from typing import Any

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_declared: list[Any] = []  # a torch.library.Library withdraws its operators when it is collected


def import_torchvision() -> ModuleType:
    """torchvision, with operator schemas declared where its compiled ones cannot be loaded.

    Raises:
        ImportError: it is not installed.
        RuntimeError: it fails to import for another reason.
    """
    for _ in range(len(_SCHEMAS) + 1):
        try:
            return importlib.import_module("torchvision")
        except RuntimeError as error:
            missing = re.search(r"operator torchvision::(\w+) does not exist", str(error))
            if missing is None or missing[1] not in _SCHEMAS:
                raise
            _declare(missing[1])
    raise RuntimeError("torchvision still cannot be imported after its operator schemas were declared")


def make_importable(module: str) -> None:
    """Import torchvision if that is where `module` belongs; its modules cannot come first.

    Raises:
        ImportError, RuntimeError: as `import_torchvision` does.
    """
    if module.partition(".")[0] == "torchvision":
        import_torchvision()


def _declare(operator: str) -> None:
    import torch

    library: Any = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    library.define(_SCHEMAS[operator])
    _declared.append(library)
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]  # half-imported
