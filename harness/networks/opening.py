"""Open a hand-in as far as it must be: from what is kept of it, or by running its code in the sandbox."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from harness.contracts.network import Network, Student
from harness.graph.refusal import GraphRefused
from harness.networks.device import CannotRun, Device
from harness.networks.intake import Intake, Said
from harness.networks.kept import KeptStudent
from harness.networks.replayed import Measuring
from harness.networks.student import SandboxedStudent
from harness.sandbox import Box, Usage
from harness.sandbox.shared_images import SharedImages

if TYPE_CHECKING:
    from torch import Tensor

    from harness.assignment.loading import Assignment
    from harness.submission.reading import Submission
    from harness.values.networks import TracedNetwork


class Opening:
    """A hand-in while it is graded. Use it as a context manager: leaving ends its processes.

    Args:
        box: where it is staged.
        known: what was kept of it; None: its code has to run.
        device: where a verified network is measured; None: in a worker, on the CPU.
    """

    def __init__(
        self,
        submission: Submission,
        assignment: Assignment,
        box: Box,
        shared: SharedImages,
        *,
        format_modules: list[str],
        input_size: int,
        on_stage: Callable[[str], None],
        stopping: threading.Event,
        known: Intake | None,
        device: Device | None = None,
    ) -> None:
        self._submission, self._assignment, self._box, self._shared = submission, assignment, box, shared
        self._format_modules, self._input_size = format_modules, input_size
        self._on_stage, self._stopping, self._known, self._device = on_stage, stopping, known, device
        self._told: list[str] = []
        self._stack = ExitStack()
        self._live: SandboxedStudent | None = None
        self._student: Student | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        # It knows this one: together they would keep all tensors until garbage is looked for.
        self._student = None

    @property
    def said(self) -> Said:
        """What is known of it without tensors; its code runs if that was not kept.

        Raises:
            SubmissionError: it cannot be opened, with the stage it failed in.
        """
        return self._known.said if self._known is not None else self.live().intake().said

    @property
    def ran(self) -> SandboxedStudent | None:
        """The one in the sandbox, if its code has run."""
        return self._live

    @property
    def notes(self) -> list[str]:
        """What was coped with, now or when it was opened before."""
        known = self._known.said.notes if self._known is not None else ()
        return [*(known if self._live is None else self._live.notes), *self._told]

    @property
    def printed(self) -> str:
        """What its code printed, now or before."""
        if self._live is not None:
            return self._live.printed
        return self._known.said.printed if self._known is not None else ""

    def student(self) -> Student:
        """The handle that evaluators get: of what was kept, where that is enough to measure it.

        Raises:
            SubmissionError: it cannot be opened.
        """
        if self._student is None:
            self._student = self._without_code(self._known)
            if self._student is None and self._device is not None:
                self.live()
                self._student = self._without_code(self.without_code())
            self._student = self._student or self.live()
        return self._student

    def without_code(self) -> Intake | None:
        """What measuring its network takes; None where that is not enough, or not here.

        Its processes end. They start again when they are asked.
        """
        found = self._known
        if self._live is not None:
            self._live.close()
            found = self._live.intake()
        return found if found is not None and found.measurable else None

    def live(self) -> SandboxedStudent:
        """The one in the sandbox: its code runs now, unless it has.

        Raises:
            SubmissionError: with the stage it failed in.
        """
        if self._live is None:
            self._live = SandboxedStudent(
                self._submission,
                self._assignment,
                self._box,
                self._shared,
                format_modules=self._format_modules,
                input_size=self._input_size,
                on_stage=self._on_stage,
                stopping=self._stopping,
            )
            self._stack.enter_context(self._live)
            self._live.open()
        return self._live

    def _without_code(self, known: Intake | None) -> KeptStudent | None:
        rules = self._assignment.rules
        if known is None or not known.measurable:
            return None
        try:
            traced = known.traced(rules, self._shape)
        except GraphRefused:
            return None  # accepted by an older harness
        return KeptStudent(
            known,
            weights_bytes=self._submission.weights_bytes,
            settings=self._submission.settings,
            traced=traced,
            network=lambda: self._measured(traced, known.weights),
            live=self.live,
        )

    def _measured(self, traced: TracedNetwork, weights: Mapping[str, Tensor]) -> Network:
        rules = self._assignment.rules
        if self._device is not None:
            try:
                return self._device.network(traced, weights, rules)
            except CannotRun as error:
                self._told.append(f"measured on the CPU: {self._device.torch} cannot run it: {error}")
        usage = Usage.within(rules.limits)
        measuring = Measuring(
            lambda: self._box.measuring_worker(usage, self._stopping),
            self._shared.in_order,
            rules,
            self._shape,
            self._box.free_workers,
        )
        self._stack.callback(measuring.close)
        return measuring.network(traced, weights)

    @property
    def _shape(self) -> tuple[int, int, int]:
        return self._assignment.rules.images.channels, self._input_size, self._input_size
