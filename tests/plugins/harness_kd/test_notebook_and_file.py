"""A loss given to `harness.check(kd_loss=…)` and the same loss handed in as a file get the same words."""

import importlib.util
import sys

import pytest
import torch
from kd_doubtful import DOUBTFUL
from kd_fakes import HEAD, FakeStudent, check
from kd_spellings import CE, KL, RIGHT
from kd_torch import MISTAKES

from harness.worker.sources.definitions import Sources
from harness.worker.sources.live import LiveSources

TEXTS = {
    **{name: text for number, (name, text) in enumerate(RIGHT.items()) if number % 6 == 0},
    **{name: text for number, (name, (text, _)) in enumerate(DOUBTFUL.items()) if number % 2 == 0},
    **{name: text for number, (name, text) in enumerate(MISTAKES.items()) if number % 6 == 0},
}


@pytest.mark.parametrize("name", TEXTS)
def test_same_verdict_reason_and_hint(name, tmp_path, monkeypatch):
    (tmp_path / "kd.py").write_text(HEAD + TEXTS[name])
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location("kd", tmp_path / "kd.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "kd", module)
    spec.loader.exec_module(module)
    function = next(name for name in ("loss_fn_kd", "KDLoss", "DistillKL") if hasattr(module, name))
    live, handed_in = FakeStudent(""), FakeStudent("")
    live.sources = LiveSources(getattr(module, function))
    handed_in.sources = Sources(tmp_path, ["kd.py"])
    assert check(live, functions=(function,)) == check(handed_in, functions=(function,))


def test_a_students_own_numbers_are_put_back():
    module = {"__name__": "kd", "torch": torch, "F": torch.nn.functional, "nn": torch.nn}
    exec(RIGHT["kept in a nested dictionary"], module)
    exec("hp = SimpleNamespace(tau=2.0)\nclass CFG:\n    ALPHA = 0.9", module)
    body = f"s, y, t: CFG.ALPHA * hp.tau**2 * {KL.replace('T', 'hp.tau')} + (1 - CFG.ALPHA) * {CE}"
    for loss in (module["loss_fn_kd"], eval(f"lambda {body}", module)):
        live = FakeStudent("")
        live.sources = LiveSources(loss)
        found = check(live, functions=(live.sources.name,))
        assert found.verdict == "passed", found.reason
    assert module["config"]["kd"] == {"alpha": 0.5, "T": 4}
    assert module["hp"].tau == 2.0
    assert module["CFG"].ALPHA == 0.9
