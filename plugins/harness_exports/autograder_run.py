"""Check one submission in Gradescope's container: what `run_autograder` of the exported zip starts.

What the harness itself cannot decide (its own error, no sandbox, too little memory) leaves no results.json: Gradescope
then shows a failed autograder to the instructor, and never a zero. Where the time is up, the student is told: they can
make their code faster, and hand in again.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.api import Metric
from harness.api.boards import Report, Result, markdown_of_check
from harness.api.text import clean, score_text

_STATUSES = {"passed": "passed", "failed": "failed"}
# Of control groups, version 2 and 1.
_MEMORY_FILES = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_OWN_BYTES = 2**30
"""What the harness and PyTorch take beside a submission."""


def main(root: Path) -> int:
    """Write `results/results.json` below `root`; returns the exit code, and says on stdout what went wrong."""
    source, results = root / "source", root / "results"
    settings = json.loads((source / "autograder.json").read_text(encoding="utf-8"))
    found = results.with_name("check.json")
    found.unlink(missing_ok=True)
    results.mkdir(exist_ok=True)
    try:
        said = _checked(source, root / "submission", found, settings)
    except subprocess.TimeoutExpired:
        _write(results, too_slow(settings))
        return 0
    if not found.is_file():
        sys.stdout.write(f"not checked: {said}\n")
        return 1
    report = Report.model_validate_json(found.read_text(encoding="utf-8"))
    if fault := not_the_students(report.results[0], settings, container_bytes()):
        sys.stdout.write(f"not checked, through no fault of the student: {fault}\n")
        return 1
    _write(results, results_of(report, settings))
    return 0


def _write(results: Path, document: Mapping[str, Any]) -> None:
    (results / "results.json").write_text(json.dumps(document, allow_nan=False), encoding="utf-8")


def _checked(source: Path, submission: Path, found: Path, settings: Mapping[str, Any]) -> str:
    """Run `harness check` into the file `found`; returns what it said where it made none.

    Raises:
        TimeoutExpired: the platform's time is nearly up; nothing of it runs any more.
    """
    command = [sys.executable, "-I", "-c", "from harness.cli import main; main()", "check"]
    command += [str(source / settings["assignment"]), str(submission), "--json", str(found)]
    command += ["--sandbox", settings["sandbox"]]
    # A session of its own, so that nothing it started outlives it.
    running = subprocess.Popen(  # noqa: S603 - a list, no shell
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True
    )
    try:
        said, _ = running.communicate(timeout=settings["limit_seconds"])
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        raise
    return said


def container_bytes(files: Sequence[Path] = _MEMORY_FILES) -> int | None:
    """The memory of the container that this process runs in, as its control group says; None: nobody limits it."""
    for file in files:
        with suppress(OSError, ValueError):  # the other version of control groups, or "max"
            return int(file.read_text(encoding="ascii"))
    return None


def not_the_students(result: Result, settings: Mapping[str, Any], memory_bytes: int | None) -> str | None:
    """Why what was found is not the submission's doing, if it is not.

    Args:
        memory_bytes: of the container.
    """
    if result.status == "harness_error":
        return result.reason
    allowed = settings["memory_bytes"]
    if result.status != "out_of_memory" or memory_bytes is None or memory_bytes >= allowed + _OWN_BYTES:
        return None
    return (
        f"it ran out of memory in a container of {memory_bytes >> 20:,} MB, and may use {allowed >> 20:,} MB beside "
        f"what the harness takes: choose a container of {(allowed + _OWN_BYTES) >> 20:,} MB or more, or a lower "
        "[limits] memory_bytes"
    )


def too_slow(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What Gradescope shows where the time was too short: no verdict, and points that it must have a number for."""
    said = (
        f"Not checked: it took longer than the {settings['limit_seconds'] / 60:.3g} minutes there are. This is no "
        "verdict, and 0 stands for no points yet. Run `harness check` at home to see what takes so long, and hand "
        "in again; if it is quick there, tell your instructor, who can give the autograder more CPUs or more time."
    )
    return {
        "score": 0,
        "execution_time": round(settings["limit_seconds"]),
        "output": said,
        "output_format": "text",
        "visibility": settings["visibility"],
        "stdout_visibility": "hidden",
        "extra_data": {"status": "not_checked"},
        "tests": [{"name": "time (could not be checked)", "output": said, "tags": ["check"]}],
    }


def results_of(report: Report, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Gradescope's results.json of a report with one result (the fields of docs/specs.md of its samples).

    What private images decide is no part of it: they are not in the container.
    """
    result = _for_students(report.results[0], settings)
    title = report.assignment.id
    return {
        "score": result.score,
        "execution_time": round(result.seconds),
        "output": markdown_of_check(result, title, settings["titles"], stand_in=report.assignment.data.stand_in),
        "output_format": "md",
        "test_output_format": "text",
        "visibility": settings["visibility"],
        "stdout_visibility": "hidden",
        "extra_data": {"status": result.status, "digest": result.digest, "harness": report.environment.harness},
        "tests": [*_points(result), *_checks(result)],
        "leaderboard": [
            {**_entry(result.metrics[key["metric"]], settings["titles"][key["metric"]]), "order": key["order"]}
            for key in settings["leaderboard"]
            if result.status == "graded" and key["metric"] in result.metrics
        ],
    }


def _entry(metric: Metric, title: str) -> dict[str, Any]:
    """A number with a heading that has its unit, for the leaderboard sorts by it."""
    if metric.unit == "fraction":
        return {"name": f"{title} (%)", "value": round(100 * metric.value, 4)}
    said = metric.unit in {"", *title.split()}
    return {"name": title if said else f"{title} ({metric.unit})", "value": metric.value}


def _for_students(result: Result, settings: Mapping[str, Any]) -> Result:
    """The points that public images decide, and no evidence but what did not pass, as `harness check` shows it."""
    points = tuple(line for line in result.points if line.name in settings["points"])
    checks = (each for each in result.checks if each.verdict != "passed" or each.name not in settings["evidence"])
    sums = {"score": sum(line.points for line in points), "max_score": sum(line.max_points for line in points)}
    possible = result.points_possible
    if possible is not None:
        later = result.max_score - sums["max_score"]
        moved = {"now": possible.now - later, "after_publication": possible.after_publication + later}
        possible = possible.model_copy(update=moved)
    return result.model_copy(update={**sums, "points_possible": possible, "points": points, "checks": tuple(checks)})


def _points(result: Result) -> list[dict[str, Any]]:
    return [
        {
            "name": clean(line.name),
            "score": line.points,
            "max_score": line.max_points,
            "output": clean(line.reason) + (f" ({score_text(0, 0, line.pending)})" if line.pending else ""),
            "tags": ["points"],
        }
        for line in result.points
    ]


def _checks(result: Result) -> list[dict[str, Any]]:
    """Without points of their own: a verdict, or none where it could not be checked."""
    return [
        {
            "name": clean(check.name) + ("" if check.verdict in _STATUSES else " (could not be checked)"),
            "output": "\n".join(clean(text) for text in (check.reason, check.hint) if text),
            "tags": ["check"],
            **({"status": _STATUSES[check.verdict]} if check.verdict in _STATUSES else {}),
        }
        for check in result.checks
    ]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
