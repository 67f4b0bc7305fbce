"""Check a notebook's live objects, by `harness.check(...)`: the same evaluators, in this process.

There is no sandbox and no need for one: it is the student's own code in the student's own process. Everything else,
from matching the weights to judging the loss, is what `harness check` and `harness grade` run.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from harness.assignment import loading as assignments
from harness.contracts.network import HandedInNetwork
from harness.contracts.sources import WorkerHalf
from harness.errors import UsageError
from harness.grading.environment import environment
from harness.grading.events import GradingEvents, Progress
from harness.grading.grader import Grader
from harness.networks.fitting import Fitted, fitted
from harness.networks.in_process import LiveNetwork, running_students_code, traced_in_process
from harness.networks.session import Answer
from harness.networks.weights import for_model, live_masks
from harness.plugins import Plugins
from harness.sandbox import choose
from harness.terminal.check import Checked, check_view
from harness.terminal.console import console
from harness.terminal.kernel_stages import KernelStages, in_kernel
from harness.terminal.stages import Stages
from harness.values.networks import Checkpoint, ModelFacts, Reply, Verification
from harness.values.results import Attempt
from harness.web.checked_result import CheckedResult
from harness.worker import replies
from harness.worker.building import build
from harness.worker.copies import copied
from harness.worker.decoding import Decoded, decode_weights
from harness.worker.model import Model, Unfitting
from harness.worker.replies import Adopted, Built
from harness.worker.sources.definitions import Located
from harness.worker.sources.live import CELL, LiveSources, name_of

if TYPE_CHECKING:
    from torch import Tensor

    from harness.values.results import Result


def check(
    model: nn.Module | Callable[[], nn.Module],
    *,
    assignment: str,
    weights: str | Path | Mapping[str, Tensor] | None = None,
    kd_loss: Callable[..., Any] | None = None,
    data: Mapping[str, str | Path] | None = None,
    input_size: int | None = None,
    show: bool = True,
) -> CheckedResult:
    """Check live objects against an assignment.

    Args:
        model: the network, or a class or function that makes it without arguments. A network is copied, not changed.
        assignment: a path, or the id of a shipped assignment.
        weights: a weights file, a state_dict, or None for the weights that `model` has now. Without a file, the size is
            that of `torch.save(state_dict)`.
        kd_loss: the distillation loss, if the assignment asks for one.
        data: name -> folder, as `--data` on the command line.
        input_size: in pixels, where the assignment allows several; default: its first.
        show: whether to say what happens meanwhile, and to print the result as `harness check` does. Where a notebook
            shows values by itself, a line is printed: the value of a cell is shown as a page.

    Returns:
        What `harness check --json` would say of it; nothing is kept. In a notebook it is shown as the site's page.

    Raises:
        UsageError: no such assignment, or an input size it does not allow.

    >>> result = harness.check(model=StudentNet, kd_loss=loss_fn_kd, assignment=assignment, show=False)
    >>> result.status
    'graded'
    """
    plugins = Plugins.installed()
    folders = {name: Path(path) for name, path in (data or {}).items()}
    rules = assignments.load(assignment, plugins, data=folders)
    sizes = rules.rules.submission.input_sizes
    if input_size is not None and input_size not in sizes:
        raise UsageError(f"input_size = {input_size} is not allowed; choose one of {', '.join(map(str, sizes))}")
    size = input_size or sizes[0]

    def opened() -> _LiveStudent:
        shape = (rules.rules.images.channels, size, size)
        return live_student(model, weights, kd_loss, shape=shape, classes=rules.rules.images.classes, plugins=plugins)

    def graded(enter: Callable[[str], None]) -> Result:
        grader = Grader(rules, plugins, choose("none"), "student", _Told(enter))
        return grader.grade_live(opened, size, None if kd_loss is None else name_of(kd_loss))

    limits = assignments.metric_limits(rules, plugins)
    if show and in_kernel():
        line = KernelStages("building")
        checked = _checked(graded(line.enter), rules, limits)
        line.enter(repr(checked))
        return checked
    with Stages("building", quiet=not show) as stages:
        result = graded(stages.enter)
    if show:
        console().print(check_view(Checked(result, rules, limits)))
    return _checked(result, rules, limits)


def _checked(result: Result, rules: assignments.Assignment, limits: dict[str, float]) -> CheckedResult:
    attempt = Attempt(
        number=1,
        graded_at=datetime.now(UTC),
        assignment=rules.info,
        environment=environment("none"),
        result=result,
    )
    return CheckedResult.of(attempt, rules, limits)


@dataclass(frozen=True)
class _Told(GradingEvents):
    """Hands on what happens now."""

    enter: Callable[[str], None]

    def on_progress(self, progress: Progress) -> None:
        """See `GradingEvents`."""
        if progress.stage:
            self.enter(progress.stage)


@dataclass
class _LiveStudent(LiveNetwork):
    """`harness.api.Student` over a module of this process."""

    decoded: Mapping[str, Tensor]
    masks: Mapping[str, Tensor]
    facts: ModelFacts
    weights_bytes: int
    loss: Callable[..., Any] | None
    claims: Mapping[str, float] = field(default_factory=dict)
    claimed_curves: Mapping[str, Any] = field(default_factory=dict)
    checkpoints: Mapping[str, tuple[Checkpoint, ...]] = field(default_factory=dict)
    methods: Mapping[str, Checkpoint] = field(default_factory=dict)
    teacher: Checkpoint | None = None
    verification: Verification = field(default=Verification(verified=False, reason="it was not traced"), kw_only=True)

    def load(self, checkpoint: Checkpoint) -> HandedInNetwork:
        raise UsageError(f"{checkpoint.file}: further files are measured by 'harness check', not in a notebook")

    @contextmanager
    def again(self) -> Iterator[_LiveStudent]:
        """See `harness.api.Student.again`."""
        try:
            model = Model(copied(self.model.module), self.model.input_shape)
        except Exception:  # noqa: BLE001 - a module that cannot be copied, such as one with a generator, is asked itself
            model = self.model
        yield replace(self, model=model)

    def ask(
        self,
        half: WorkerHalf,
        facts: Mapping[str, Any],
        tensors: Mapping[str, Tensor],
        *,
        doing: str,  # noqa: ARG002 - the student's own process: interrupt the cell instead
        limit_seconds: float,  # noqa: ARG002
    ) -> Reply:
        with running_students_code():
            return Reply(*half(LiveSources(self.loss), facts, tensors))


def live_student(
    model: nn.Module | Callable[[], nn.Module],
    weights: str | Path | Mapping[str, Tensor] | None,
    loss: Callable[..., Any] | None,
    *,
    shape: tuple[int, ...],
    classes: int,
    plugins: Plugins,
) -> _LiveStudent:
    made = copied(model).cpu() if isinstance(model, nn.Module) else model
    built = build(Located(made, name_of(model), CELL, 1, ()), {}, shape)
    state = nn.Module.state_dict(built.module) if weights is None else weights
    decoded, size = _decoded(state, plugins)
    outline = built.outline()
    found = _fitted(decoded, built, outline)
    masks, sent = live_masks(found.tensors), for_model(found.tensors, outline.state)
    outside = {name: mask for name, mask in masks.items() if name in outline.state}
    described = built.describe({**sent, **{f"{name}_mask": mask for name, mask in outside.items()}}, tuple(outside))
    facts = ModelFacts.model_validate(
        {
            **outline.model_dump(exclude={"tied", "versions"}),
            **described.model_dump(),
            "source": CELL,
            "weights_format": decoded.format,
            "stored_bits": found.bits,
            "aliases": found.aliases,
            "storage_elements": found.storage_elements,
            "notes": (*decoded.notes, *found.notes),
        }
    )
    again = None if isinstance(model, nn.Module) else model
    traced, verification = traced_in_process(built, sent, classes, again)
    return _LiveStudent(
        built, sent, classes, found.tensors, masks, facts, size, loss, traced=traced, verification=verification
    )


def _fitted(decoded: Decoded, built: Model, outline: Built) -> Fitted:
    """The file's tensors under the module's names, as they are fitted when they are handed in."""

    def adopt(versions: Mapping[str, int], tensors: Mapping[str, Tensor]) -> Answer[Adopted]:
        try:
            return Answer(Adopted(fits=True), built.adopt(tensors, versions))
        except Unfitting as error:
            return Answer(Adopted(fits=False, refused=error.reason), {})

    told = {name: getattr(decoded, name) for name in replies.Decoded.model_fields}
    return fitted(Answer(replies.Decoded(**told), dict(decoded.tensors)), outline, adopt)


def _decoded(weights: str | Path | Mapping[str, Tensor], plugins: Plugins) -> tuple[Decoded, int]:
    """The tensors, and the size in bytes of their file, written to a temporary one where there is none."""
    if isinstance(weights, str | Path):
        path = Path(weights)
        if not path.is_file():
            raise UsageError(f"weights: no file {path}")
        return decode_weights(path, plugins.weight_formats), path.stat().st_size
    buffer = io.BytesIO()
    torch.save(dict(weights), buffer)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "weights.pt")
        file.write_bytes(buffer.getvalue())
        return decode_weights(file, plugins.weight_formats), len(buffer.getvalue())
