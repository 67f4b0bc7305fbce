"""Weights files that plain PyTorch loads, and files that hold no weights: graded for real, beside plain PyTorch."""

from __future__ import annotations

import json
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from builders import noise
from hand_ins import IMAGES, graded, sandbox_called, small_assignment
from torch import nn
from torch.optim.swa_utils import AveragedModel

from harness.values.results import Result

pytestmark = [pytest.mark.sandbox, pytest.mark.filterwarnings("ignore")]
torch.set_num_threads(1)
Writes = Callable[[nn.Module, Path], object]
EVALUATORS = ("accuracy", "parameter_limit", "model_size")

HEAD = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n"
PLAIN = """
class StudentNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.fc = nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.Linear(6, 4)

    def forward(self, x):
        return self.fc(F.relu(self.bn(self.conv(x))).mean((2, 3)))
"""
PARAMETERS = 6 * 27 + 6 + 12 + 28
TIED = """
class StudentNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.fc = nn.Linear(192, 16), nn.Linear(16, 16), nn.Linear(16, 4)
        self.c = nn.Linear(16, 16)
        self.c.weight = self.b.weight

    def forward(self, x):
        return self.fc(F.relu(self.c(F.relu(self.b(F.relu(self.a(x.flatten(1))))))))
"""
TIED_PARAMETERS = 192 * 16 + 16 + 256 + 16 + 16 + 68
NORMED = """
from torch.nn.utils.parametrizations import weight_norm
class StudentNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = weight_norm(nn.Conv2d(3, 6, 3)), weight_norm(nn.Linear(6, 4))

    def forward(self, x):
        return self.fc(F.relu(self.conv(x)).mean((2, 3)))
"""
OLD_NORMED = NORMED.replace("nn.utils.parametrizations import", "nn.utils import")
VERSIONED = """
class Layer(nn.Linear):
    _version = 3
    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest):
        version = local_metadata.get("version")
        if version is None:
            raise ValueError("no version")
        if version < 3:
            state_dict[prefix + "weight"] = state_dict.pop(prefix + "kernel").t()
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

class StudentNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = Layer(192, 4)

    def forward(self, x):
        return self.fc(x.flatten(1))
"""
RENAMING = """
class StudentNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(192, 4)

    def load_state_dict(self, state_dict, strict=True, assign=False):
        return super().load_state_dict({k.replace("classifier", "head"): v for k, v in state_dict.items()}, strict)

    def forward(self, x):
        return self.head(x.flatten(1))
"""
SMUGGLING = """
class StudentNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(192, 4)

    def _load_from_state_dict(self, state_dict, prefix, *rest):
        if "seed" in state_dict:
            torch.manual_seed(int(state_dict.pop("seed")))
            state_dict["fc.weight"], state_dict["fc.bias"] = torch.randn(4, 192), torch.zeros(4)

    def forward(self, x):
        return self.fc(x.flatten(1))
"""
MASKED = """
class StudentNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(192, 4)
        self.register_buffer("mask", torch.zeros(4))
        self.register_buffer("low", torch.tensor(float("inf")))

    def forward(self, x):
        return self.fc(x.flatten(1)) + self.mask
"""
SPARSE = """
class StudentNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, 192).to_sparse())

    def forward(self, x):
        return torch.sparse.mm(self.weight, x.flatten(1).t()).t()
"""


def made(source: str, seed: int = 0) -> nn.Module:
    scope: dict[str, Any] = {"__name__": "model"}
    exec("from collections import OrderedDict\n" + HEAD + source, scope)
    torch.manual_seed(seed)
    module: nn.Module = scope["StudentNet"]()
    with torch.no_grad():
        for name, each in module.state_dict().items():
            if not isinstance(each, torch.Tensor) or each.is_quantized or each.is_complex():
                continue
            if each.is_floating_point() and each.layout == torch.strided and "mask" not in name and name != "low":
                each.copy_(torch.rand(each.shape) if "var" in name or "_g" in name else torch.randn(each.shape) / 4)
    return module.eval()


def classes(module: nn.Module) -> list[int]:
    """The class of each image by plain PyTorch; 4, which is none, where a logit is NaN."""
    pixels, _ = noise(IMAGES)
    images = torch.from_numpy(pixels).float()[:, None].expand(-1, 3, -1, -1)
    with torch.inference_mode():
        logits = module((images / 255 - 0.5) / 0.5)
    found: list[int] = logits.argmax(1).where(~logits.isnan().any(1), 4).tolist()
    return found


def state(module: nn.Module, rename: Callable[[str], str] = str) -> dict[str, torch.Tensor]:
    """Without `_metadata`, each tensor in memory of its own."""
    tensors = {name: each for name, each in module.state_dict().items() if isinstance(each, torch.Tensor)}
    return {rename(name): each.clone() for name, each in tensors.items()}


def lightning(module: nn.Module) -> dict[str, Any]:
    """A LightningModule's checkpoint: the network, its teacher, a loss and a metric."""
    beside = {"teacher.conv.weight": torch.randn(9, 3, 3, 3), "criterion.weight": torch.ones(4)}
    beside["train_acc.tp"] = torch.tensor(3)
    return {"epoch": 3, "state_dict": {**state(module, "net.{}".format), **beside}, "optimizer_states": [], "loops": {}}


def shards(module: nn.Module, folder: Path, form: str) -> None:
    """As `save_pretrained` writes them."""
    names = list(module.state_dict())
    parts = [names[::2], names[1::2]]
    stem, suffix = ("model", "safetensors") if form == "safetensors" else ("pytorch_model", "bin")
    files = [f"{stem}-0000{number}-of-00002.{suffix}" for number in (1, 2)]
    for file, part in zip(files, parts, strict=True):
        held = {name: state(module)[name] for name in part}
        safetensors.torch.save_file(held, folder / file) if form == "safetensors" else torch.save(held, folder / file)
    weight_map = {name: file for file, part in zip(files, parts, strict=True) for name in part}
    index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    (folder / f"{stem}.{suffix}.index.json").write_text(json.dumps(index))


def old_version(module: nn.Module) -> OrderedDict[str, torch.Tensor]:
    """What version 2 of `VERSIONED` wrote."""
    written = OrderedDict({"fc.kernel": module.fc.weight.detach().t().contiguous(), "fc.bias": module.fc.bias.detach()})
    written._metadata = OrderedDict({"": {"version": 1}, "fc": {"version": 2}})  # type: ignore[attr-defined]
    return written


def masked() -> nn.Module:
    module = made(MASKED)
    module.mask[1] = -float("inf")
    return module


def sparse() -> nn.Module:
    module = made(SPARSE)
    weight = torch.randn(4, 192) * (torch.rand(4, 192) < 0.3)
    module.weight = nn.Parameter(weight.to_sparse())
    return module


def torch_saved(what: Callable[[nn.Module], Any]) -> Writes:
    return lambda module, folder: torch.save(what(module), folder / "weights.pt")


def pickled(what: Callable[[nn.Module], Any]) -> Writes:
    return lambda module, folder: (folder / "weights.pkl").write_bytes(pickle.dumps(what(module)))


def averaged(module: nn.Module) -> Any:
    return AveragedModel(module).state_dict()


Case = tuple[Callable[[], nn.Module], str, Writes, int]


def plain(writes: Writes) -> Case:
    return lambda: made(PLAIN), PLAIN, writes, PARAMETERS


def of(source: str, writes: Writes, parameters: int, module: Callable[[], nn.Module] | None = None) -> Case:
    return module or (lambda: made(source)), source, writes, parameters


def some_wrapped(name: str) -> str:
    return "module." + name.replace("conv.", "conv._orig_mod.").replace("fc.", "_orig_mod.fc.module.")


GRADED: dict[str, Case] = {
    "wrappers anywhere": plain(torch_saved(lambda module: state(module, some_wrapped))),
    "a compiled part in the class": of(
        PLAIN.replace("nn.Linear(6, 4)", "nn.Sequential(OrderedDict(module=nn.Linear(6, 4)))"),
        torch_saved(lambda module: state(module, lambda name: name.replace("fc.module.", "fc._orig_mod."))),
        PARAMETERS,
    ),
    "FSDP": plain(torch_saved(lambda module: state(module, "_fsdp_wrapped_module.{}".format))),
    "AveragedModel": plain(torch_saved(averaged)),
    "AveragedModel in a checkpoint": plain(torch_saved(lambda module: {"swa": averaged(module), "epoch": 3})),
    "AveragedModel of a wrapped network": plain(torch_saved(lambda module: averaged(nn.DataParallel(module)))),
    "ema_pytorch": plain(
        torch_saved(lambda module: {
            **state(made(PLAIN, 5), "online_model.{}".format), **state(module, "ema_model.{}".format),
            "initted": torch.tensor(True), "step": torch.tensor(5),
        })
    ),
    "Lightning": plain(torch_saved(lightning)),
    "a distiller of two equal networks": plain(
        torch_saved(lambda module: {
            **state(made(PLAIN, 5), "teacher.{}".format), **state(module, "student.{}".format),
        })
    ),
    "a loss beside the layers": plain(torch_saved(lambda module: {**state(module), "kd_loss.weight": torch.ones(4)})),
    "safetensors without the second name": of(
        TIED, lambda module, folder: safetensors.torch.save_model(module, str(folder / "w.safetensors")), TIED_PARAMETERS
    ),
    "a second name in no file": of(
        TIED, torch_saved(lambda module: dict(module.named_parameters())), TIED_PARAMETERS
    ),
    "tied and cloned": of(TIED, torch_saved(state), TIED_PARAMETERS),
    "tied, through npz": of(
        TIED,
        lambda module, folder: np.savez(folder / "w.npz", **{k: v.numpy() for k, v in state(module).items()}),
        TIED_PARAMETERS,
    ),
    "shards of safetensors": plain(lambda module, folder: shards(module, folder, "safetensors")),
    "shards of torch": plain(lambda module, folder: shards(module, folder, "bin")),
    "float8": plain(
        torch_saved(lambda module: {
            name: each.to(torch.float8_e5m2) if name == "conv.weight" else each for name, each in state(module).items()
        })
    ),
    "old weight_norm": of(NORMED, torch_saved(state), 6 * 28 + 6 + 4 * 7 + 4, lambda: made(OLD_NORMED)),
    "old weight_norm, wrapped": of(
        NORMED, torch_saved(lambda module: state(module, "module.{}".format)), 6 * 28 + 6 + 4 * 7 + 4,
        lambda: made(OLD_NORMED),
    ),
    "a versioned layer": of(VERSIONED, torch_saved(lambda module: module.state_dict()), 772),
    "a versioned layer, cloned": of(VERSIONED, torch_saved(state), 772),
    "a versioned layer's older file": of(VERSIONED, torch_saved(old_version), 772),
    "a network that renames": of(
        RENAMING,
        torch_saved(lambda module: state(module, lambda name: name.replace("head", "classifier"))), 772,
    ),
    "-inf in a mask, inf in a minimum": of(MASKED, torch_saved(state), 776, masked),
    "sparse": of(SPARSE, torch_saved(lambda module: module.state_dict()), 768, sparse),
    "a pickled state_dict": plain(pickled(lambda module: module.state_dict())),
    "pickled arrays in a checkpoint": plain(
        pickled(lambda module: {"epoch": 3, "weights": {k: v.numpy() for k, v in state(module).items()}})
    ),
    "a dict of arrays by numpy.save": plain(
        lambda module, folder: np.save(folder / "w.npy", {k: v.numpy() for k, v in state(module).items()})  # type: ignore[arg-type]
    ),
    "averages and a metric beside the layers": plain(
        torch_saved(lambda module: {**state(module), **state(made(PLAIN, 5), "ema.{}".format), "val_acc.tp": torch.ones(1)})
    ),
    "an OrderedDict of pickled arrays": plain(
        pickled(lambda module: OrderedDict((k, v.numpy()) for k, v in state(module).items()))
    ),
    "ONNX and TorchScript beside the weights": plain(lambda module, folder: (
        torch.save(state(module), folder / "weights.pt"), onnx(module, folder), scripted(module, folder),
    )),
}  # fmt: skip


def onnx(_: nn.Module, folder: Path) -> None:
    """The fields of a ModelProto: version, producer, a graph with a name, an opset."""
    graph = b"\x12\x05graph"
    data = b"\x08\x08" + b"\x12\x07pytorch" + b"\x3a" + bytes([len(graph)]) + graph + b"\x42\x02\x10\x11"
    (folder / "model.onnx").write_bytes(data)


def scripted(module: nn.Module, folder: Path) -> None:
    torch.jit.trace(module, torch.zeros(1, 3, 8, 8)).save(str(folder / "model.torchscript"))


def exported(module: nn.Module, folder: Path) -> None:
    torch.export.save(torch.export.export(module, (torch.zeros(2, 3, 8, 8),)), folder / "model.pt2")


def trained(module: nn.Module) -> torch.optim.Optimizer:
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.randn(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    return optimizer


def sgd(module: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(module.parameters(), 0.1)


DYNAMIC = """
def StudentNet():
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 4))
    return torch.ao.quantization.quantize_dynamic(net, {nn.Linear}, dtype=torch.qint8)
"""
STATIC = """
def StudentNet():
    q = torch.ao.quantization
    net = nn.Sequential(q.QuantStub(), nn.Conv2d(3, 4, 8), nn.Flatten(), q.DeQuantStub()).eval()
    net.qconfig = q.get_default_qconfig("fbgemm")
    ready = q.prepare(net)
    ready(torch.randn(2, 3, 8, 8))
    return q.convert(ready)
"""
COMPLEX = """
class StudentNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(192, 4, dtype=torch.complex64))

    def forward(self, x):
        return (x.flatten(1).to(torch.complex64) @ self.weight).abs()
"""
REFUSED: dict[str, tuple[str, Writes, tuple[str, ...]]] = {
    "an optimizer's state": (
        PLAIN, torch_saved(lambda module: trained(module).state_dict()), ("state of an optimizer", "model.state_dict()")
    ),
    "an optimizer without momentum": (
        PLAIN, torch_saved(lambda module: sgd(module).state_dict()), ("state of an optimizer",)
    ),
    "an optimizer in a checkpoint": (
        PLAIN, torch_saved(lambda module: {"epoch": 3, "optimizer": trained(module).state_dict()}), ("in 'optimizer'",)
    ),
    "an optimizer's averages": (
        PLAIN, torch_saved(lambda module: trained(module).state_dict()["state"]), ("state of an optimizer",)
    ),
    "a list of parameters": (PLAIN, torch_saved(lambda module: list(module.parameters())), ("without their names",)),
    "an exported program": (PLAIN, exported, ("exported program", "model.state_dict()")),
    "TorchScript": (PLAIN, scripted, ("TorchScript",)),
    "ONNX": (PLAIN, onnx, ("ONNX",)),
    "dynamically quantised": (DYNAMIC, torch_saved(state), ("quantised", "quantize_dynamic")),
    "statically quantised": (STATIC, torch_saved(state), ("quantised", "convert")),
    "complex": (COMPLEX, torch_saved(state), ("complex", "view_as_real")),
    "NaN in a buffer": (
        MASKED, torch_saved(lambda module: {**state(module), "mask": torch.full((4,), torch.nan)}), ("NaN in 'mask'",)
    ),
    "inf in a parameter": (
        MASKED, torch_saved(lambda module: {**state(module), "fc.bias": torch.full((4,), torch.inf)}),
        ("infinite numbers in 'fc.bias'",),
    ),
    "weights from a seed": (
        SMUGGLING, torch_saved(lambda module: {"seed": torch.tensor(3)}), ("others than the file",)
    ),
    "shards without an index": (
        PLAIN,
        lambda module, folder: (
            shards(module, folder, "safetensors"), (folder / "model.safetensors.index.json").unlink(),
        ),
        ("shards", "index"),
    ),
    "an index without a shard": (
        PLAIN,
        lambda module, folder: (
            shards(module, folder, "safetensors"), (folder / "model-00002-of-00002.safetensors").unlink(),
        ),
        ("model-00002-of-00002.safetensors, which was not handed in",),
    ),
    "two equal parts": (
        PLAIN,
        torch_saved(lambda module: {
            **state(module, "first.{}".format), **state(made(PLAIN, 5), "second.{}".format),
        }),
        ("2 parts of the weights file fit", "'first.', 'second.'"),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    folder = tmp_path_factory.mktemp("loads")
    paths = []
    cases = {name: (module(), source, writes) for name, (module, source, writes, _) in GRADED.items()}
    for name, (source, writes, _) in REFUSED.items():
        cases[name] = (made(source), source, writes)
    for number, (name, (module, source, writes)) in enumerate(cases.items()):
        path = folder / f"{number:03}-{name.replace(' ', '-').replace(',', '')}"
        path.mkdir()
        imports = "from collections import OrderedDict\n" if "OrderedDict" in source else ""
        (path / "model.py").write_text(imports + HEAD + source)
        writes(module, path)
        paths.append(path)
    found = graded(small_assignment(folder / "a", EVALUATORS, memory_bytes=2**31), paths, sandbox_called("bwrap"))
    return dict(zip(cases, (found[path.name] for path in paths), strict=True))


@pytest.mark.parametrize("name", GRADED)
def test_what_torch_loads_is_graded_as_torch_runs_it(name: str, results: dict[str, Result]) -> None:
    module, _, _, parameters = GRADED[name]
    result = results[name]
    assert (result.status, result.reason) == ("graded", None)
    expected = module()
    if name == "float8":
        expected.conv.weight.data = expected.conv.weight.to(torch.float8_e5m2).float()
    assert list(result.predictions or ()) == classes(expected)
    assert result.metrics["parameters"].value == parameters


@pytest.mark.parametrize("name", REFUSED)
def test_what_holds_no_weights_is_refused_by_name(name: str, results: dict[str, Result]) -> None:
    result = results[name]
    assert result.status == "rejected"
    for words in REFUSED[name][2]:
        assert words in f"{result.reason} {result.hint}"


def test_what_was_left_out_is_said(results: dict[str, Result]) -> None:
    for name, words in {
        "Lightning": "left out: teacher.conv.weight, criterion.weight, train_acc.tp",
        "AveragedModel": "n_averaged",
        "a loss beside the layers": "kd_loss.weight",
        "ema_pytorch": "'online_model.' of the weights file would fit as well",
        "a distiller of two equal networks": "'teacher.'",
        "a second name in no file": "'c.weight' is not in the file",
        "shards of torch": "2 files were put together",
    }.items():
        assert words in " ".join(results[name].notes), name


def test_sizes_count_shards_and_tied_tensors_once(results: dict[str, Result]) -> None:
    assert results["tied and cloned"].metrics["canonical_bytes"].value == 4 * TIED_PARAMETERS
    assert results["tied, through npz"].metrics["canonical_bytes"].value == 4 * TIED_PARAMETERS
    whole = results["a pickled state_dict"].metrics["canonical_bytes"].value
    assert results["shards of safetensors"].metrics["canonical_bytes"].value == whole
    assert results["shards of safetensors"].metrics["stored_bytes"].value > whole


@pytest.mark.parametrize(
    ("of_logits", "status"),
    [
        ("torch.log(torch.softmax(y * 400, 1))", "graded"),
        ("torch.where(y == y.max(1, keepdim=True)[0], y, -torch.inf)", "graded"),
        ("torch.log(y[:, :1]) * 0 + y", "graded"),
        ("(y - y) / (y - y)", "rejected"),
        ("y * 0 - torch.inf", "rejected"),
    ],
)
def test_logits_name_a_class_or_count_as_wrong(of_logits: str, status: str, tmp_path: Path) -> None:
    source = f"""
class StudentNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(192, 4)

    def forward(self, x):
        y = self.fc(x.flatten(1))
        return {of_logits}
"""
    module = made(source)
    path = tmp_path / "one"
    path.mkdir()
    (path / "model.py").write_text(HEAD + source)
    torch.save(state(module), path / "weights.pt")
    (result,) = graded(small_assignment(tmp_path / "a"), [path], sandbox_called("bwrap")).values()
    assert result.status == status, result.reason
    if status == "rejected":
        assert "logits for all 40 images" in str(result.reason)
        return
    expected = classes(module)
    _, labels = noise(IMAGES)
    assert list(result.predictions or ()) == expected
    assert result.metrics["accuracy"].value == pytest.approx(np.mean(np.array(expected) == labels))
    assert any(f"NaN for {expected.count(4)} of 40 images" in note for note in result.notes) == (4 in expected)
