"""What grading keeps of a worker's claims."""

from __future__ import annotations

from harness.api import ModelFacts
from harness.grading.findings import layers


def test_layers_are_kept_within_limits() -> None:
    claimed = [["conv\x1b[2J1", "Conv2d", [1, 8, 28, 28], 80], ["x" * 5000, "Lie", [], 0]]
    claimed += [["huge", "Lie", [1], 10**30], ["below", "Lie", [-1], 0], ["deep", "Lie", [1] * 50, 0]]
    facts = ModelFacts(
        source="m.py", weights_format="pt", state={}, parameters=(), storage_elements=0, torchinfo=1, layers=claimed
    )
    kept = layers(facts)
    assert [(each.name, each.kind, each.output, each.parameters) for each in kept] == [
        ("conv1", "Conv2d", (1, 8, 28, 28), 80),
        ("x" * 79 + "…", "Lie", (), 0),
    ]
    assert len(layers(facts.model_copy(update={"layers": facts.layers[:1] * 5000}))) == 300
