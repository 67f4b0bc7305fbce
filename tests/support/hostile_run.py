"""Grades the hostile class in a process of its own, as whatever user starts it, and writes down what happened.

    python hostile_run.py grade FOLDER SANDBOX     everything; FOLDER/outcome.json holds the outcome
    python hostile_run.py sample FOLDER SANDBOX    the same with a quarter of the attacks
    python hostile_run.py kill FOLDER SANDBOX      kills the grader in mid-run; FOLDER/outcome.json lists survivors

Exit code 3: the sandbox does not work here; the reason is on standard error.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import psutil
from hostile_canaries import Canaries
from hostile_class import LIMIT_SECONDS, VICTIMS, Attack, attacks, chosen, write_class, write_victims

from harness.assignment.loading import load
from harness.errors import SandboxUnavailable
from harness.grading.events import GradingEvents, Progress
from harness.grading.grader import grade_all
from harness.plugins import Plugins
from harness.sandbox import Sandbox, choose
from harness.submission.discovery import discover

_PR_SET_CHILD_SUBREAPER = 36
_PATIENCE_SECONDS = 5.0


def main() -> None:
    mode, folder, name = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    # Whatever leaves its parent becomes ours, so that no survivor can hide.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if mode == "kill":
        _write(folder, _kill(folder, name))
        return
    try:
        sandbox = choose(name)
    except SandboxUnavailable as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(3)
    match mode:
        case "grade":
            _write(folder, _grade(folder, sandbox, attacks()))
        case "sample":
            _write(folder, _grade(folder, sandbox, chosen()))
        case "victim":
            _report(folder / "hostile-victims.toml", folder / "class" / "victims", sandbox, _Telling())


def _write(folder: Path, outcome: dict[str, Any]) -> None:
    (folder / "outcome.json").write_text(json.dumps(outcome))


def _grade(folder: Path, sandbox: Sandbox, hostile: Sequence[Attack]) -> dict[str, Any]:
    started = time.monotonic()
    with Canaries(folder) as canaries:
        os.environ |= {"HOME": str(canaries.home), "TMPDIR": str(canaries.temporary)}
        os.environ["HOSTILE_GRADER"] = canaries.secret("environment")
        assignments = write_class(folder, {**canaries.targets(), "LIMIT_SECONDS": LIMIT_SECONDS}, hostile)
        (folder / "class" / "main" / "neighbour" / "notes.txt").write_text(canaries.secret("neighbour"))
        before = canaries.state()
        results = {name: _report(path, folder / "class" / name, sandbox) for name, path in assignments.items()}
        sandbox.close()
        survivors = _survivors({canaries.process.pid})
        after = canaries.state()
        changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        return {
            "user": os.getuid(),
            "sandbox": sandbox.name,
            "auto": choose("auto").name,
            "results": results,
            "secret": canaries.hidden,
            "contacts": canaries.contacts,
            "changed": {key: [before.get(key), after.get(key)] for key in changed},
            "survivors": survivors,
            "seconds": round(time.monotonic() - started, 1),
        }


class _Telling(GradingEvents):
    def on_progress(self, progress: Progress) -> None:
        sys.stdout.write(f"{progress.submission} {progress.stage}\n")
        sys.stdout.flush()


def _report(path: Path, submissions: Path, sandbox: Sandbox, events: GradingEvents | None = None) -> dict[str, Any]:
    plugins = Plugins.installed()
    results = grade_all(
        load(str(path), plugins),
        discover([submissions], mode="class"),
        plugins=plugins,
        sandbox=sandbox,
        jobs=2,
        events=events,
        image_seed="known to nobody who hands in",
    )
    return {result.submission: json.loads(result.to_json()) for result in results}


def _kill(folder: Path, name: str) -> dict[str, Any]:
    """Who is left when the grader is killed while it builds the victims, and who was there before."""
    write_victims(folder)
    command = [sys.executable, __file__, "victim", str(folder), name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as grader:
        assert grader.stdout is not None
        building = 0
        while building < len(VICTIMS) and (line := grader.stdout.readline()):
            building += line.rstrip().endswith("building")
        if not building:
            sys.exit(grader.wait())
        time.sleep(1.5)  # until each is where nothing but a kill ends it
        before = psutil.Process().children(recursive=True)
        grader.kill()
        grader.wait()
        return {"building": building, "before": len(before) - 1, "survivors": _survivors(set())}


def _survivors(known: set[int]) -> list[str]:
    """Descendants that are still there after a moment."""
    patience = time.monotonic() + _PATIENCE_SECONDS
    while True:
        # As an init would: the first process of a namespace ends only when the last one in it has been waited for.
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        found = [each for each in psutil.Process().children(recursive=True) if each.pid not in known]
        alive = [each for each in found if _alive(each)]
        if not alive or time.monotonic() > patience:
            return [f"{each.pid} {' '.join(each.cmdline())[:200]}" for each in alive]
        time.sleep(0.05)


def _alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    main()
