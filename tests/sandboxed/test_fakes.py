"""Every fake is refused, left unverified, put before a person or counted for what it is, each in a real sandbox."""

from __future__ import annotations

import re

import pytest
from builders import limits, on_fashion, write_assignment
from fakes_for_the_sandbox import LIMIT, fakes, write
from hand_ins import PLUGINS, graded, sandbox_called

from harness.assignment.loading import load

FAKES = fakes()
pytestmark = pytest.mark.timeout(500)
PROBES = 9


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("class")
    handed_in = [write(fake, folder / name.replace(" ", "-")) for name, fake in FAKES.items()]
    evaluators = {"accuracy": {}, "parameter_limit": {"limit": LIMIT}, "integrity": {"images": 256, "lookups": True}}
    # Weights are kept for the class, too: that must not show anybody's code more files than it needs.
    # What code sees of other files is one wall; here all are let through it, to see that what they hold is counted.
    course = on_fashion()
    more = {
        **course,
        "submission": {**course["submission"], "readable_files": ["*"]},
        "limits": limits(120),
        "evaluators": evaluators,
        "class_evaluators": {"similarity": {}},
    }
    file = write_assignment(tmp_path_factory.mktemp("rules"), **more)
    found = graded(load(str(file), PLUGINS), handed_in, sandbox_called("auto"))
    return {name: found[name.replace(" ", "-")] for name in FAKES}


@pytest.mark.parametrize("name", FAKES)
def test_every_fake_comes_to_its_end(results, name):
    fake, result = FAKES[name], results[name]
    if fake.ends == "refused":
        assert result.status in {"rejected", "crashed"}
        assert re.search(fake.says, result.reason), result.reason
        return
    assert (result.status, result.reason) == ("graded", None)
    checks = {check.name: check for check in result.checks}
    probes = {each: check for each, check in checks.items() if each.startswith("integrity_")}
    failed = {each for each, check in probes.items() if check.verdict == "failed"}
    limit = checks["parameter_limit"]
    assert result.network.verified != fake.ends.startswith("unverified"), (result.network, limit.reason)
    assert result.metrics["accuracy"].value <= fake.accuracy
    if not result.network.verified:
        doubtful = fake.ends.endswith("doubtful")
        assert re.search(fake.says, limit.reason if doubtful else result.network.reason), (result.network, limit)
        assert len(probes) == PROBES
        assert fake.findings <= failed
        assert probes["integrity_source"].verdict == fake.own, probes["integrity_source"]
        assert (limit.verdict == "could_not_check") >= doubtful, limit.reason
        return
    assert set(probes) == {"integrity_verified", "integrity_image_noise"}
    assert failed == fake.findings
    counted = result.metrics["parameters"].value
    assert counted >= fake.parameters, (counted, limit.reason)
    if fake.ends == "doubtful":
        assert limit.verdict == "could_not_check", limit.reason
        assert re.search(fake.says or "bytes of literals", limit.reason), limit.reason
    elif fake.parameters > LIMIT:
        assert limit.verdict != "passed", limit.reason
