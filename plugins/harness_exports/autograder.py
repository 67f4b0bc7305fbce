"""Export to Gradescope: an autograder that runs `harness check` there on every submission.

The zip holds `setup.sh`, which installs the harness from a wheel in it or from the package index, `run_autograder`, and
`autograder.json`, what to check. A container there has Ubuntu, runs as root, and has as much time and memory as the
assignment's settings say (https://gradescope-autograders.readthedocs.io/en/latest/specs/). How much time it does not
know, so `[board] platform_minutes` says it: the run ends by itself a minute before. A sandbox is asked for, since the
results are written where the submission's code runs. For the same reason the assignment in it is what `harness handout`
gives to students: no private image is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NoReturn

from harness.api import AssignmentToExport, Board, Exporter, UsageError, hookimpl

_OWN_SECONDS = 60
"""What is left for starting, and for telling that the time was too short."""
_SETUP = """\
#!/usr/bin/env bash
# Runs once, when the container is made: an own Python, and the harness with PyTorch for CPUs.
set -euo pipefail
here=/autograder/source
export UV_PYTHON_INSTALL_DIR=/opt/uv UV_TORCH_BACKEND=cpu
apt-get update
apt-get install -y --no-install-recommends ca-certificates curl libseccomp2
curl -LsSf https://astral.sh/uv/install.sh | env UV_INSTALL_DIR=/usr/local/bin sh
uv venv --python 3.12 /opt/harness
wheels=("$here"/*.whl)
if [ -e "${wheels[0]}" ]; then what="${wheels[0]}"; else what="compress-harness==VERSION"; fi
uv pip install --python /opt/harness/bin/python "$what"
"""
_RUN = """\
#!/usr/bin/env bash
# Runs for every submission. Another Python or folder, for trying it out: HARNESS_PYTHON, AUTOGRADER.
exec "${HARNESS_PYTHON:-/opt/harness/bin/python}" -I -m harness_exports.autograder_run "${AUTOGRADER:-/autograder}"
"""


class GradescopeAutograder:
    """A zip to upload to Gradescope, which checks every submission there. `--wheel` puts a wheel of the harness in."""

    name = "gradescope-autograder"

    def export(self, board: Board, template: Path | None) -> NoReturn:  # noqa: ARG002 - it has no use for either
        raise UsageError("an autograder holds no points: it is made of the assignment alone")

    def pack(self, assignment: AssignmentToExport, wheel: Path | None) -> tuple[str, Mapping[str, bytes | Path]]:
        settings = {
            "assignment": assignment.file,
            "limit_seconds": assignment.limit_seconds - _OWN_SECONDS,
            "memory_bytes": assignment.memory_bytes,
            "sandbox": "auto",
            "titles": dict(assignment.titles),
            "visibility": assignment.shows,
            "points": assignment.points,
            "evidence": assignment.evidence,
            "leaderboard": assignment.ranks,
        }
        files: dict[str, bytes | Path] = {
            "setup.sh": _SETUP.replace("VERSION", assignment.harness_version).encode(),
            "run_autograder": _RUN.encode(),
            "autograder.json": (json.dumps(settings, indent=1) + "\n").encode(),
            **assignment.files,
        }
        if wheel is not None:
            files[wheel.name] = wheel
        return f"{assignment.id}-autograder.zip", files


@hookimpl
def harness_exporters() -> Iterable[Exporter]:
    return [GradescopeAutograder()]
