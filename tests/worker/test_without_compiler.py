"""Shapes come out as with torch's compiler at hand, and it stays unimported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from graph_networks import NETWORKS, example

from harness.graph.shapes import Pass, measure

APART = """
import json, pathlib, sys
from harness.graph.shapes import measure

from harness.values.graph import Graph
from harness.worker.without_compiler import answer_for_the_compiler
from test_without_compiler import told
answer_for_the_compiler()
graphs = json.loads(pathlib.Path(sys.argv[1]).read_text())
print(json.dumps({name: told(measure(Graph.model_validate_json(each), 3)) for name, each in graphs.items()}))
print(sorted(each for each in sys.modules if each in ("sympy.core", "torch._dynamo.utils")), file=sys.stderr)
"""


def told(done: Pass) -> list[object]:
    steps = [[each.node.name, list(each.shape), each.dtype, each.macs, each.written_bytes] for each in done.steps]
    return [steps, done.live_bytes, list(done.output)]


def test_every_network_measures_the_same(tmp_path: Path) -> None:
    graphs = {name: example(name).graph for name in NETWORKS}
    file = tmp_path / "graphs.json"
    file.write_text(json.dumps({name: each.model_dump_json() for name, each in graphs.items()}))
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path[:0] = {[str(Path(__file__).parent), *sys.path]!r}\n{APART}",
            str(file),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "[]", "the compiler was imported"
    assert json.loads(done.stdout) == {name: told(measure(each, 3)) for name, each in graphs.items()}


def test_what_a_stand_in_does_not_know_is_imported() -> None:
    code = (
        "from harness.worker.without_compiler import answer_for_the_compiler\nimport torch\nanswer_for_the_compiler()\n"
        "import sympy\nassert sympy.Integer(3) + 4 == 7\n"
        "from torch.fx.experimental.symbolic_shapes import ShapeEnv\nShapeEnv()\n"
        "assert torch.compile(lambda x: x + 1, backend='eager')(torch.ones(1)).item() == 2"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
