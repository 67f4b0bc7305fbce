"""Write a GitHub Actions file that checks every push, and tell GitHub there what was found.

The names of the workflow and of its only job are those that GitHub Classroom's autograder looks for (README of
`classroom-resources/autograding-grading-reporter`).
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.version import __version__

if TYPE_CHECKING:
    from harness.assignment.loading import Assignment
    from harness.values.results import Report, Result

_WORKFLOW = """\
# Checks what is pushed, shows the outcome in the run's summary, and gives the points to GitHub Classroom, which finds
# both by these two names: the workflow's and the job's.
name: Autograding Tests
on:
  push:
  workflow_dispatch:
permissions:
  contents: read
  actions: read
  checks: write
jobs:
  run-autograding-tests:
    runs-on: ubuntu-latest
    timeout-minutes: 20
    if: github.actor != 'github-classroom[bot]'
    steps:
      - name: Get what was pushed
        uses: actions/checkout@v4
        with:
          lfs: true
          persist-credentials: false
      - name: Get Python
        id: python
        uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - name: Keep the harness and PyTorch from one run to the next
        id: cache
        uses: actions/cache@v4
        with:
          path: ~/harness
          key: harness-@VERSION@-cpu-${{ runner.os }}-${{ steps.python.outputs.python-version }}
      - name: Install the harness, with PyTorch for CPUs
        if: steps.cache.outputs.cache-hit != 'true'
        run: |
          python -m venv ~/harness
          ~/harness/bin/pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu
          ~/harness/bin/pip install compress-harness==@VERSION@
      - name: Check
        id: check
        run: ~/harness/bin/harness check @ASSIGNMENT@ @SUBMISSION@ --github
      - name: Autograding Reporter
        if: ${{ !cancelled() && steps.check.outputs.result != '' }}
        uses: classroom-resources/autograding-grading-reporter@v1
        env:
          CHECK_RESULTS: ${{ steps.check.outputs.result }}
        with:
          runners: check
"""


def write_workflow(assignment: str, submission: str, out: Path) -> None:
    """Write the file for an assignment and the folder of the repository in which students hand in.

    Raises:
        UsageError: there is no such assignment, its name cannot stand in the file, or that cannot be written.
    """
    from harness.assignment.loading import shipped
    from harness.cli.options import write_text
    from harness.text import suggestion

    if assignment not in shipped() and not Path(assignment).is_file():
        known = ", ".join(shipped())
        hint = suggestion(assignment, shipped())
        raise UsageError(f"{assignment}: neither a file nor a shipped assignment (shipped: {known}){hint}")
    if Path(assignment).is_absolute():
        raise UsageError(f"{assignment}: name it as it lies in the students' repository, such as assignment.toml")
    if not (assignment + submission).isprintable() or "${{" in assignment + submission:
        raise UsageError("names with line breaks or ${{ cannot stand in a workflow: rename the file or the folder")
    if out.exists():
        raise UsageError(f"{out} is there already: remove it, or name another file with --out")
    words = {"VERSION": __version__, "ASSIGNMENT": _word(assignment), "SUBMISSION": _word(submission)}
    text = _WORKFLOW
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out.parent}: cannot be made: {error.strerror}") from error
    write_text(out, text)


def _word(text: str) -> str:
    """For the shell, in a line of YAML that is not quoted."""
    if ": " in text or " #" in text:
        raise UsageError(f"{text!r}: YAML takes ': ' and ' #' for its own: rename the file or the folder")
    return shlex.quote(text)


def _summary(result: Result, assignment: Assignment) -> str:
    from harness.report.checked import markdown_of_check

    titles = assignment.measures.titles
    return markdown_of_check(result, assignment.rules.title, titles, stand_in=assignment.info.data.stand_in)


def tell_github(report: Report, assignment: Assignment, environment: Mapping[str, str] = os.environ) -> None:
    """Append the outcome to the run's summary, and the points to the outputs of the step.

    Raises:
        UsageError: this is no step of GitHub Actions, or its files cannot be written.
    """
    from harness.report.checked import classroom_points

    (result,) = report.results
    texts = {
        "GITHUB_STEP_SUMMARY": _summary(result, assignment),
        "GITHUB_OUTPUT": f"result={classroom_points(report)}\n",
    }
    for name, text in texts.items():
        file = environment.get(name)
        if not file:
            raise UsageError(f"--github: this is no step of GitHub Actions, which sets {name}")
        try:
            with Path(file).open("a", encoding="utf-8") as target:
                target.write(text)
        except OSError as error:
            raise UsageError(f"--github: {file}: {error.strerror}") from error
