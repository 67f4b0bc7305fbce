"""What plugins get wrong while they work: whatever kind they are of, the message names plugin, place and cure."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from student_fakes import FakeStudent, context

from harness.api import Check, CheckSpec, Evaluation, Metric, Options, RawExamples, UsageError
from harness.assignment.loading import stated_limits
from harness.cli.grade import _hired
from harness.cli.leaderboard import _pages
from harness.data.images import _decode, raw_examples
from harness.errors import PluginError
from harness.grading.asking import evaluated
from harness.grading.class_evaluation import _compared
from harness.plugins.faults import blaming
from harness.plugins.files import expect_files
from harness.plugins.kinds import EXPORTER, WRITER
from harness.plugins.output import printing_to_stderr
from harness.submission.staging import format_of
from harness.values.rules import ImageRules

RULES = ImageRules(classes=2, resize="none", mean=(0.5,) * 3, std=(0.5,) * 3)


class Mine:
    """Whatever kind of plugin is wanted: its one method does what a test says."""

    name = "mine"
    Options = Options
    metrics = ()
    checks = (CheckSpec("mine"),)

    def __init__(self, does: Callable[..., Any]) -> None:
        self.load = self.recognises = self.render = self.render_site = self.export = does
        self.crew = self.evaluate = self.evaluate_class = self.limits = does


def fails(*_: Any, **__: Any) -> Any:
    raise ValueError("too few")


def gives(value: Any) -> Callable[..., Any]:
    return lambda *_, **__: value


def halfway(*_: Any) -> Iterator[tuple[str, str]]:
    yield "index.html", "the board"
    fails()


@contextmanager
def fails_at_the_end(*_: Any, **__: Any) -> Iterator[None]:
    yield
    fails()


class Lazy(list[Any]):
    def __getitem__(self, index: Any) -> Any:
        return fails()


def leaves(*_: Any, **__: Any) -> Any:
    sys.exit("done")


def rewrites(_: Any, given: Any) -> Evaluation:
    given.examples.images.pixels.zero_()
    return Evaluation()


def measures(value: Any) -> Callable[..., Any]:
    return lambda *_: Evaluation(metrics={"mine": Metric(value=value, unit="bytes", higher_is_better=True)})


def raw(images: Any, labels: Any) -> RawExamples:
    return RawExamples(images, labels, tuple("ab"[: len(labels)]))


def loaded(plugin: Any) -> None:
    _decode(raw_examples(plugin, Path("images")), plugin, RULES, 8, "data.test")


def recognised(plugin: Any) -> None:
    format_of(Path(sys.executable), {"mine": plugin})  # what no format knows and is no text


def rendered(plugin: Any) -> None:
    with blaming(WRITER, plugin, "render"):
        files = plugin.render(None)
    expect_files(WRITER, plugin, "render", files)


def site_rendered(plugin: Any) -> None:
    list(_pages(plugin, SimpleNamespace(), {}))  # type: ignore[arg-type]


def exported(plugin: Any) -> None:
    with blaming(EXPORTER, plugin, "export"):
        plugin.export(None, None)


def hired(plugin: Any) -> None:
    with _hired(plugin, 1, None):
        pass


def measured(plugin: Any) -> None:
    evaluated(plugin, FakeStudent(), context())


def limited(plugin: Any) -> None:
    stated_limits(plugin, Options())


def compared(plugin: Any) -> None:
    _compared(plugin, [], Options(), {})


PICTURE = Image.new("RGB", (8, 8))
HERE = f'test_plugin_faults.py line {fails.__code__.co_firstlineno + 1}: `raise ValueError("too few")`'
LEFT = f'SystemExit: done at test_plugin_faults.py line {leaves.__code__.co_firstlineno + 1}: `sys.exit("done")`'
TWICE = Evaluation(checks=(Check.passed("mine", "yes"), Check.failed("mine", "no")))
RAISED = f"raised ValueError: too few at {HERE}"
OTHER_DATA = "let the assignment name another 'dataset'"
NO_EVALUATOR = "leave [evaluators.mine] out of the assignment"


@pytest.mark.parametrize(
    ("uses", "does", "what", "place", "cure"),
    [
        (loaded, fails, "data set", f"load() {RAISED}", OTHER_DATA),
        (loaded, gives([]), "data set", "load() returned a list, no RawExamples", OTHER_DATA),
        (loaded, gives(raw([PICTURE], np.array([0, 1]))), "data set", "load() returned 1 images, 2 labels", OTHER_DATA),
        (loaded, gives(raw([PICTURE], [0])), "data set", "write labels=np.array(labels, dtype=np.int64)", OTHER_DATA),
        (loaded, gives(raw([np.zeros((8, 8))], np.array([0]))), "data set", "write Image.fromarray(…)", OTHER_DATA),
        (loaded, gives(RawExamples([PICTURE], np.array([0]), (7,))), "data set", "the name 7, which is no", OTHER_DATA),  # type: ignore[arg-type]
        (loaded, gives(raw(Lazy([PICTURE]), np.array([0]))), "data set", f"reading a {RAISED}", OTHER_DATA),
        (recognised, fails, "weights format", f"recognises() {RAISED}", "--disable-plugin leaves its plugin out"),
        (rendered, fails, "writer", f"render() {RAISED}", "choose another --format"),
        (rendered, gives("the board"), "writer", "render() returned a str, no dict", "choose another --format"),
        (rendered, leaves, "writer", f"render() raised {LEFT}", "choose another --format"),
        (rendered, gives({}), "writer", "render() returned no file", "choose another --format"),
        (rendered, gives({"../board": ""}), "writer", "which is none below a folder", "choose another --format"),
        (rendered, gives({"C:\\board": ""}), "writer", "which is none below a folder", "choose another --format"),
        (rendered, gives({"board": "\udc80"}), "writer", "'board' with '\\udc80' in it", "choose another --format"),
        (site_rendered, gives([("/board", "")]), "writer", "render_site() gave the path '/board'", "choose another --format"),
        (site_rendered, halfway, "writer", f"render_site() {RAISED}", "choose another --format"),
        (site_rendered, gives(["page"]), "writer", "render_site() gave 'page', no pair", "choose another --format"),
        (site_rendered, gives([]), "writer", "render_site() gave no file", "choose another --format"),
        (exported, fails, "exporter", f"export() {RAISED}", "choose another --to"),
        (hired, fails, "executor", f"crew() {RAISED}", "choose another --executor, such as local"),
        (hired, gives(None), "executor", "crew() raised TypeError", "choose another --executor, such as local"),
        (hired, fails_at_the_end, "executor", f"crew() {RAISED}", "choose another --executor, such as local"),
        (measured, fails, "evaluator", f"evaluate() {RAISED}", NO_EVALUATOR),
        (measured, gives(None), "evaluator", "write return Evaluation(metrics=…)", NO_EVALUATOR),
        (measured, leaves, "evaluator", f"evaluate() raised {LEFT}", NO_EVALUATOR),
        (measured, rewrites, "evaluator", "evaluate() changed the images that it was handed", NO_EVALUATOR),
        (measured, gives(Evaluation(notes=("\udc80",))), "evaluator", "evaluate() found what cannot be kept: ", NO_EVALUATOR),
        (measured, gives(TWICE), "evaluator", "evaluate() made the check 'mine' 2 times", NO_EVALUATOR),
        (measured, gives(Evaluation(predictions=(1,))), "evaluator", "returned 1 predictions, not one for each", NO_EVALUATOR),
        (measured, measures(float("nan")), "evaluator", "Metric: value.float: Input should be a finite number, not nan", NO_EVALUATOR),
        (measured, measures(10**400), "evaluator", "Metric: value: Value error, needs to be between", NO_EVALUATOR),
        (limited, fails, "evaluator", f"limits() {RAISED}", NO_EVALUATOR),
        (limited, gives(None), "evaluator", "limits() raised TypeError", NO_EVALUATOR),
        (compared, fails, "class evaluator", f"evaluate_class() {RAISED}", "leave [class_evaluators.mine] out"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_plugin_place_and_cure(
    uses: Callable[[Any], None], does: Callable[..., Any], what: str, place: str, cure: str
) -> None:
    with pytest.raises(PluginError) as raised:
        uses(Mine(does))
    text = str(raised.value)
    assert text.startswith(f"{what} 'mine' (plugin {__name__}): ")
    assert place in text
    assert f"; mend the plugin, or {cure}" in text


def test_a_weights_format_that_closes_the_file_is_in_nobody_s_way() -> None:
    other = Mine(lambda file: file.read(4) == b"\x7fELF")
    assert format_of(Path(sys.executable), {"closes": Mine(lambda file: file.close()), "other": other}) is other  # type: ignore[dict-item]


def test_a_picture_that_pillow_cannot_read_is_no_fault_of_the_plugin() -> None:
    class Damaged(Lazy):
        def __getitem__(self, index: Any) -> Any:
            return Image.open(os.devnull)

    plugin = Mine(gives(raw(Damaged([PICTURE]), np.array([0]))))
    with pytest.raises(UsageError, match=r"data\.test: a cannot be decoded: cannot identify image file"):
        loaded(plugin)


def test_what_plugins_their_libraries_and_their_children_print_goes_to_stderr(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with printing_to_stderr():
        print("by Python")  # noqa: T201
        os.write(1, b"by descriptor\n")
        ctypes.CDLL(None).printf(b"by C\n")  # which C keeps until it has more
        subprocess.run(["echo", "by a child"], check=True)
    print("a result", flush=True)  # noqa: T201
    os.write(1, b"another\n")
    told = capfd.readouterr()
    assert told.out == "a result\nanother\n"
    assert sorted(told.err.splitlines()) == ["by C", "by Python", "by a child", "by descriptor"]


def test_a_closed_descriptor_is_no_reason_to_fail() -> None:
    code = (
        "import os\nfrom harness.plugins.output import printing_to_stderr\n"
        "os.close({})\nwith printing_to_stderr():\n    pass\nos.write({}, b'on')"
    )
    for closed, other in ((1, 2), (2, 1)):
        command = [sys.executable, "-c", code.format(closed, other)]
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
        assert (done.returncode, done.stdout + done.stderr) == (0, b"on")
