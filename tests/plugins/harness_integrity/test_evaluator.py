"""Faked submissions are caught by a named check; honest networks, trained or not, never are."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import graph_networks
import numpy as np
import pytest
import student_fakes
import torch
import torch.nn.functional as F
from harness_accuracy import Accuracy
from harness_integrity.counts import source_check
from harness_integrity.evaluator import Integrity, IntegrityOptions
from harness_integrity.probes import take_sample
from harness_sizes.parameter_limit import LimitOptions, ParameterLimit
from hypothesis import given, settings
from hypothesis import strategies as st
from integrity_fakes import FAKES, IMAGE, Net, RunningStudent, fashion, knowledge, loaded, running, trained
from student_fakes import context, examples
from torch import nn
from torch.nn.utils import prune

from harness.api import Beside, TracedNetwork
from harness.errors import SubmissionError

CHECKS = {spec.name for spec in Integrity.checks} - {"integrity_verified", "integrity_source"}
"""Of networks that are not verified, as all are here, and have no files; `tests/sandboxed/test_fakes.py` has the others."""


def evaluated(student: RunningStudent, images: int = 512, seed: int = 0):
    """Every verdict by name, and the checks."""
    data = fashion()
    accuracy = student_fakes.evaluated(Accuracy(), student, context(examples=data), baselines={"baseline": 0.5})
    limit = student_fakes.evaluated(ParameterLimit(), student, context(LimitOptions(limit=5000)))
    student.images.clear()
    given = context(
        IntegrityOptions(images=images, seed=seed),
        examples=data,
        measured=accuracy.metrics,
        predictions=accuracy.predictions,
    )
    found = Integrity().evaluate(student, given).checks
    assert {check.name for check in found} == CHECKS
    return {check.name: check for check in (*accuracy.checks, *limit.checks, *found)}


def findings(checks) -> set[str]:
    return {name for name, check in checks.items() if name in CHECKS and check.verdict == "failed"}


@pytest.mark.parametrize("name", FAKES)
def test_every_fake_is_caught_by_name(name, tmp_path):
    make, expected = FAKES[name]
    checks = evaluated(running(make(), tmp_path))
    failed = {each for each, check in checks.items() if check.verdict == "failed"}
    assert expected <= failed, checks
    for each in expected & CHECKS:
        # One paragraph that can be forwarded, with what it cannot show and where to look.
        assert 100 < len(checks[each].reason) < 500
        assert "\n" not in checks[each].reason
        assert checks[each].hint


@pytest.mark.parametrize("name", ["weights in a closure", "two weights in a number", "images looked up"])
def test_findings_do_not_hang_on_the_seed(name, tmp_path):
    make, expected = FAKES[name]
    student = running(make(), tmp_path)
    for seed in (1, 2, 3):
        assert expected <= findings(evaluated(student, seed=seed))


def test_the_honest_network_behind_the_fakes(tmp_path):
    student = running(loaded(Net()), tmp_path)
    checks = evaluated(student)
    assert {check.verdict for name, check in checks.items() if name in CHECKS} == {"passed"}
    assert checks["accuracy_baseline"].verdict == "passed"


def test_what_the_probes_cost(tmp_path):
    """Five times the sample at half its size, and noise on four times as many images or all there are."""
    student = running(loaded(Net()), tmp_path)
    evaluated(student, images=128)
    assert sum(student.images) == 5 * 128 // 2 - 128 // 16 + 4 * 128
    seeded = running(FAKES["features from a seed"][0](), tmp_path)
    evaluated(seeded)
    assert sum(seeded.images) == 5 * 512 // 2 + 1000


class Residual(nn.Module):
    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.inside = inside

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.inside(x))


class Dense(Residual):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.inside(x)], dim=1)


def random_network(seed: int) -> nn.Module:
    """An honest architecture as students make them, drawn at random."""
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    activation = [nn.ReLU, nn.ReLU6, nn.SiLU, nn.LeakyReLU, nn.Hardswish, nn.GELU][random.integers(6)]
    normalise = [nn.BatchNorm2d, lambda width: nn.GroupNorm(2, width), lambda _: nn.Identity()][
        random.choice(3, p=[0.6, 0.2, 0.2])
    ]
    width = int(random.choice([6, 8, 12]))
    layers = [nn.Conv2d(3, width, int(random.choice([3, 5])), stride=2, padding=1), normalise(width), activation()]
    if random.random() < 0.2:
        layers.insert(0, nn.BatchNorm2d(3))
    for _ in range(int(random.integers(1, 4))):
        wider = width * int(random.choice([1, 2]))
        match random.integers(5):
            case 0:
                layers += [nn.Conv2d(width, wider, 3, padding=1, bias=False), normalise(wider), activation()]
            case 1:
                layers += [
                    nn.Conv2d(width, width, 3, padding=1, groups=width),
                    normalise(width),
                    activation(),
                    nn.Conv2d(width, wider, 1),
                    normalise(wider),
                    activation(),
                ]
            case 2:
                wider = width
                layers.append(Residual(nn.Sequential(nn.Conv2d(width, width, 3, padding=1), normalise(width))))
            case 3:
                layers += [nn.Conv2d(width, wider, 3, padding=1, groups=2), normalise(wider), activation()]
            case _:
                layers += [Dense(nn.Conv2d(width, 4, 3, padding=1)), normalise(width + 4), activation()]
                wider = width + 4
        width = wider
        if random.random() < 0.4:
            layers.append([nn.MaxPool2d(2), nn.AvgPool2d(2)][random.integers(2)])
    ends = [
        [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(width, 10)],
        [
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.BatchNorm1d(4 * width),
            nn.Linear(4 * width, 16),
            activation(),
            nn.Linear(16, 10),
        ],
        [nn.Conv2d(width, 10, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()],
    ]
    return nn.Sequential(*layers, *ends[random.integers(3)])


@pytest.mark.parametrize("seed", range(20))
def test_no_honest_architecture_raises_a_finding(seed, tmp_path):
    network = random_network(seed).eval()
    assert findings(evaluated(running(network, tmp_path))) == set()
    checks = evaluated(running(trained(network, 25, seed), tmp_path))
    assert findings(checks) == set()
    assert not [name for name in CHECKS if checks[name].verdict != "passed"]


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.one = nn.Conv2d(8, 8, 3, padding=1)
        self.other = nn.Conv2d(8, 8, 3, padding=1)
        self.other.weight = self.one.weight
        self.fc = nn.Linear(8 * 49, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.other(torch.relu(self.one(torch.relu(self.stem(x))))))
        return self.fc(F.max_pool2d(x, 2).flatten(1))


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 7, stride=7)
        self.encoder = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.fc = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.encoder(self.patches(x).flatten(2).transpose(1, 2)).mean(dim=1))


class Rows(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(84, 16, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.lstm(x.permute(0, 2, 1, 3).flatten(2))[0].mean(dim=1))


class Signs(nn.Module):
    """Binary weights and activations: the least smooth of honest networks."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.bn = nn.BatchNorm2d(8)
        self.fc = nn.Linear(8 * 196, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.conv.weight + (self.conv.weight.sign() - self.conv.weight).detach()
        return self.fc(self.bn(F.conv2d(x, weight, stride=2, padding=1)).sign().flatten(1))


def pruned() -> nn.Module:
    module = loaded(Net())
    prune.l1_unstructured(module.fc, "weight", 0.5)
    return prune.l1_unstructured(module.b, "weight", 0.3) and module


HONEST = {
    "linear": lambda: nn.Sequential(nn.Flatten(), nn.Linear(3 * 784, 10)),
    "linear after pooling": lambda: nn.Sequential(nn.MaxPool2d(4), nn.Flatten(), nn.Linear(3 * 49, 10)),
    "normalised and linear": lambda: nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3 * 784, 10)),
    "two linear layers": lambda: nn.Sequential(nn.Flatten(), nn.Linear(3 * 784, 32), nn.ReLU(), nn.Linear(32, 10)),
    "only BatchNorm trained": lambda: frozen(Net()),
    "in half precision": Net,
    "tied": Tied,
    "transformer": Transformer,
    "recurrent": Rows,
    "binary": Signs,
    "pruned, masks live": pruned,
    "whole flat BatchNorm": lambda: nn.Sequential(nn.Flatten(), nn.BatchNorm1d(3 * 784), nn.Linear(3 * 784, 10)),
}


def frozen(module: nn.Module) -> nn.Module:
    for layer in (module.a, module.b, module.fc):
        layer.requires_grad_(False)
    return module


@pytest.mark.parametrize("name", HONEST)
def test_no_honest_oddity_raises_a_finding(name, tmp_path):
    torch.manual_seed(1)
    module = trained(HONEST[name](), 0 if name == "pruned, masks live" else 60)
    if name == "in half precision":
        module = module.half()
    assert findings(evaluated(running(module, tmp_path))) == set()


def test_constant_answers_are_no_finding(tmp_path):
    module = Net()
    nn.init.zeros_(module.fc.weight)
    nn.init.zeros_(module.fc.bias)
    assert findings(evaluated(running(module.eval(), tmp_path))) == set()


def test_a_network_that_fails_under_slightly_other_weights_is_a_finding(tmp_path):
    class Guarded(Net):
        def head(self, x):
            assert float(self.fc.weight[0, 0]) == known, "not my weights"
            return self.fc(x)

    known = float(loaded(Net()).fc.weight.detach()[0, 0])
    student = running(loaded(Guarded()), tmp_path)
    whole = student.logits

    def logits(images, weights=None, **options):
        try:
            return whole(images, weights, **options)
        except AssertionError as error:
            raise SubmissionError("crashed", f"forward raised AssertionError: {error}") from error

    student.logits = logits
    checks = evaluated(student)
    assert findings(checks) == {"integrity_noise"}
    assert "not my weights" in checks["integrity_noise"].reason
    assert checks["integrity_scrub"].verdict == "could_not_check"


def test_a_probe_that_takes_too_long_is_no_finding(tmp_path):
    student = running(loaded(Net()), tmp_path)
    whole = student.logits

    def logits(images, weights=None, **options):
        if weights is not None:
            raise SubmissionError("timed_out", "forward took longer than 60 s")
        return whole(images, weights, **options)

    student.logits = logits
    checks = evaluated(student)
    assert findings(checks) == set()
    assert {name for name in CHECKS if checks[name].verdict == "could_not_check"} == {
        "integrity_scrub",
        "integrity_noise",
    }


def test_a_network_that_cannot_be_run_is_no_finding_and_no_crash(tmp_path):
    student = running(loaded(Net()), tmp_path)

    def logits(*args, **kwargs):
        raise SubmissionError("crashed", "the process ended")

    student.logits = logits
    found = Integrity().evaluate(student, context(IntegrityOptions(), examples=fashion(100))).checks
    verdicts = {check.name: check.verdict for check in found}
    assert verdicts.pop("integrity_counts") == verdicts.pop("integrity_statistics") == "passed"
    assert set(verdicts.values()) == {"could_not_check"}


@pytest.mark.parametrize(("status", "verdict"), [("crashed", "failed"), ("out_of_memory", "could_not_check")])
def test_answering_all_images_and_failing_when_asked_again_is_a_finding(status, verdict, tmp_path):
    student = running(trained(Net(), 30), tmp_path)
    measured = Accuracy().evaluate(student, context(examples=fashion())).metrics

    def logits(*args, **kwargs):
        raise SubmissionError(status, "the process ended")

    student.logits = logits
    given = context(IntegrityOptions(), examples=fashion(), measured=measured)
    found = {check.name: check for check in Integrity().evaluate(student, given).checks}
    assert found.keys() == CHECKS
    assert found["integrity_sample"].verdict == verdict
    assert found["integrity_scrub"].verdict == "could_not_check"


def test_only_the_instructor_s_run_tries_verified_networks_on_noise(tmp_path):
    """A student's own check would wait for what it does not show."""
    net = Net()
    net.load_state_dict(knowledge())
    done = graph_networks.traced(net, IMAGE)
    student = replace(running(net, tmp_path), traced=TracedNetwork(done.graph, "", {}))
    found = {}
    for audience in ("student", "instructor"):
        data = fashion()
        classes = student.logits(data.images).argmax(dim=1).numpy()
        student.images.clear()
        options = IntegrityOptions(images=64, lookups=True)
        asked = context(options, audience=audience, examples=data, measured={}, predictions=classes)
        names = {check.name for check in Integrity().evaluate(student, asked).checks}
        found[audience] = names, sum(student.images)
    assert found["student"] == ({"integrity_verified"}, 0)
    assert found["instructor"] == ({"integrity_verified", "integrity_image_noise"}, 4 * 64)


def test_a_student_s_own_check_runs_no_probe(tmp_path):
    student = running(loaded(Net()), tmp_path)
    given = context(IntegrityOptions(), audience="student", examples=fashion())
    found = {check.name for check in Integrity().evaluate(student, given).checks}
    assert found == {"integrity_counts", "integrity_statistics"}
    assert not student.images


def test_too_few_images_say_nothing(tmp_path):
    student = running(loaded(Net()), tmp_path)
    found = Integrity().evaluate(student, context(IntegrityOptions(), examples=fashion(63))).checks
    assert {check.name for check in found} == CHECKS
    assert not student.images
    assert "fewer than 64 images" in next(check.reason for check in found if check.name == "integrity_scrub")


@settings(max_examples=50)
@given(st.integers(64, 2000), st.integers(64, 2000), st.integers(0, 2**32))
def test_the_sample_is_spread_over_the_data_and_repeats(images, available, seed):
    graded = examples(list(range(available)), classes=available)
    sample = take_sample(graded, images, seed)
    count = min(images, available)
    rows = sorted(sample.labels.tolist())
    assert len(sample) == len(set(rows)) == count
    assert all(after - before <= 2 * -(-available // count) for before, after in pairwise([0, *rows, available]))
    assert take_sample(graded, images, seed).labels.tolist() == sample.labels.tolist()


def test_padding_names_how_much_lies_beside(tmp_path):
    checks = evaluated(running(FAKES["padded storages"][0](), tmp_path))
    assert "7,840 more than the tensors show" in checks["integrity_counts"].reason


def test_negative_variances_are_named(tmp_path):
    module = loaded(Net())
    module.bn.running_var[3] = -1e-6
    student = running(module, tmp_path)
    assert "'bn.running_var' holds negative variances" in evaluated(student)["integrity_statistics"].reason


def test_image_shape_is_the_graders(tmp_path: Path):
    assert tuple(fashion().images.pixels.shape[1:]) == IMAGE


def in_the_second_process(student: RunningStudent, error: SubmissionError) -> RunningStudent:
    """It fails there and nowhere else."""

    @contextmanager
    def again():
        other = replace(student)
        other.logits = failing
        yield other

    def failing(*args, **kwargs):
        raise error

    student.again = again
    return student


def test_a_network_that_runs_only_once_is_a_finding(tmp_path):
    student = in_the_second_process(running(loaded(Net()), tmp_path), SubmissionError("crashed", "no file notes.bin"))
    checks = evaluated(student)
    assert findings(checks) == {"integrity_batch"}
    assert "when a second process is asked it fails: no file notes.bin" in checks["integrity_batch"].reason


def test_a_second_process_that_is_too_slow_is_no_finding(tmp_path):
    student = in_the_second_process(running(loaded(Net()), tmp_path), SubmissionError("timed_out", "took too long"))
    checks = evaluated(student)
    assert findings(checks) == set()
    unchecked = {name for name in CHECKS if checks[name].verdict == "could_not_check"}
    assert unchecked == {"integrity_batch", "integrity_sample"}


def test_two_classes_that_are_as_good_as_equal_are_one_answer(tmp_path):
    """Where logits tie up to rounding, the class may differ between two processes."""
    module = loaded(Net())
    with torch.no_grad():
        module.fc.weight[3], module.fc.bias[3] = module.fc.weight[4], module.fc.bias[4]
    student = running(module, tmp_path)
    data = fashion()
    graded = Accuracy().evaluate(student, context(examples=data)).predictions
    assert graded.count(4) == 0
    swapped = tuple(4 if each == 3 else each for each in graded)
    assert swapped != graded
    for predictions, verdict in ((swapped, "passed"), (tuple((each + 1) % 10 for each in graded), "failed")):
        metrics = {"accuracy": Accuracy().evaluate(student, context(examples=data)).metrics["accuracy"]}
        given = context(IntegrityOptions(), examples=data, measured=metrics, predictions=predictions)
        (check,) = [each for each in Integrity().evaluate(student, given).checks if each.name == "integrity_sample"]
        assert check.verdict == verdict, check


class Sleeping:
    """Answers at once, but not when it is probed."""

    def __init__(self, student, clock):
        self._student, self._clock, self.asked = student, clock, 0

    def __getattr__(self, name):
        return getattr(self._student, name)

    def logits(self, images, weights=None, *, batch_size=64):
        self.asked += 1
        if self.asked > 1 or self.from_the_start:
            self._clock[0] += 300
            raise SubmissionError("timed_out", "stopped after 300 s while running forward")
        self._clock[0] += 1
        return self._student.logits(images, weights, batch_size=batch_size)


@pytest.mark.parametrize("from_the_start", [False, True])
def test_sleeping_through_the_probes_is_a_finding(from_the_start, tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("harness_integrity.evaluator.time.monotonic", lambda: clock[0])
    student = Sleeping(running(trained(Net(), 30), tmp_path), clock)
    student.from_the_start = from_the_start
    measured = Accuracy().evaluate(student._student, context(examples=fashion())).metrics
    given = context(IntegrityOptions(), examples=fashion(), measured=measured)
    found = {check.name: check for check in Integrity().evaluate(student, given).checks}
    slow = {name for name, check in found.items() if check.verdict == "failed"}
    assert slow == (
        {"integrity_sample"}
        if from_the_start
        else {"integrity_scrub", "integrity_noise", "integrity_image_noise"}
        | (slow & {"integrity_batch", "integrity_sample"})
    )
    assert all("busy" in found[name].reason for name in slow)


def test_the_sample_cannot_be_foretold_without_the_store_s_secret(tmp_path):
    def sample(secret: str) -> torch.Tensor:
        student = running(trained(Net(), 30), tmp_path)
        seen, original = [], student.logits
        student.logits = lambda images, *rest, **more: (seen.append(images.pixels), original(images, *rest, **more))[1]
        Integrity().evaluate(student, context(IntegrityOptions(images=64), examples=fashion(), secret=secret))
        return seen[0]

    assert torch.equal(sample("a"), sample("a"))
    assert not torch.equal(sample("a"), sample("b"))
    assert not torch.equal(sample("a"), sample(""))


@pytest.mark.parametrize(("bits", "found"), [(8, False), (15, False), (31, True), (40, True)])
def test_whole_numbers_with_room_for_several_weights_are_named(bits, found, tmp_path):
    class Packed(Net):
        def __init__(self):
            super().__init__()
            self.register_buffer(
                "table", torch.randint(0, 2**bits, (500,)).index_fill(0, torch.tensor([0]), 2**bits - 1)
            )

    checks = evaluated(running(Packed(), tmp_path), images=64)
    assert ("whole numbers of up to" in checks["integrity_counts"].reason) == found


def test_what_code_knows_has_a_place_and_compiled_modules_have_names():
    held = Beside(literal_bytes=618, longest_literal="2,025 characters at model.py line 9", compiled=("fast.so",))
    check = source_check(held)
    assert check.verdict == "passed"
    assert (
        "618 bytes of numbers and texts (compressed, the longest of 2,025 characters at model.py line 9)"
        in check.reason
    )
    assert "'fast.so'" in check.reason
    assert source_check(held.model_copy(update={"literal_bytes": 8193})).verdict == "could_not_check"
