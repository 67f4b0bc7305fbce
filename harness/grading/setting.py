"""Set evaluators up: what they know beside the network, which is the same for a whole class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

from harness.contracts.evaluator import Context
from harness.values.base import Audience, Options
from harness.values.evaluation import Evaluation
from harness.values.images import Examples, Images
from harness.values.networks import Teacher
from harness.values.rules import AssignmentFile


@dataclass(frozen=True, eq=False)
class Setting:
    """An assignment at one input size. It can be pickled; the labels are in it.

    Args:
        options: evaluator -> its options, in the order in which they run.
        public: bool [N]: which of the examples are public.
        secret: see `Context.secret`.
        versions: of what decides results, as `harness.grading.elsewhere.software` names it.
    """

    rules: AssignmentFile
    options: Mapping[str, Options]
    audience: Audience
    input_size: int
    examples: Examples
    public: NDArray[np.bool_]
    calibration: Images | None
    versions: Mapping[str, str]
    secret: str = ""

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Of one image: [channels, height, width]."""
        return self.rules.images.channels, self.input_size, self.input_size

    def context(
        self, name: str, kd_function: str | None, earlier: Evaluation, teacher: Callable[[], Teacher | None]
    ) -> Context[Options]:
        """What an evaluator may know.

        Args:
            kd_function: the name that submission.toml gives the KD loss.
            earlier: what those before it found.
        """
        rules = self.rules
        return Context(
            options=self.options[name],
            # An evaluator that writes to what it is handed harms nobody: copies of these cost nothing.
            examples=replace(self.examples, labels=self.examples.labels.copy()),
            public=self.public.copy(),
            split=rules.data["test"].public_fraction is not None,
            audience=self.audience,
            input_size=self.input_size,
            measured=earlier.metrics,
            kd_functions=(kd_function,) if kd_function else rules.submission.kd_functions,
            limit_seconds=rules.limits.request_seconds,
            curves=earlier.curves,
            calibration=self.calibration,
            teacher=teacher,
            predictions=earlier.predictions,
            secret=self.secret,
        )
