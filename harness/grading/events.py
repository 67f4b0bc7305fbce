"""Tell whoever started grading what happens while it runs, and ask what they know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.values.measured import Measured


@dataclass(frozen=True, slots=True)
class Progress:
    """What happens to a submission now; an empty stage means it is finished."""

    submission: str
    stage: str


class GradingEvents:
    """Override what you want to hear of; all of it is called from worker threads."""

    def on_progress(self, progress: Progress) -> None:
        """A submission enters a stage."""

    def on_weights(self, submission: str, weights: bytes) -> None:
        """A submission's weights as `harness.store.weights` packs them, before its result; told only where the
        assignment compares the class.
        """

    def on_sources(self, submission: str, sources: bytes) -> None:
        """The text of a submission's sources as `harness.store.sources` packs it, likewise."""

    def on_parts(self, submission: str, parts: Mapping[str, Measured]) -> None:
        """What each evaluator contributed to a submission's result, before that."""

    def on_unreachable(self, reason: str) -> None:
        """A network was to be measured elsewhere, where nobody answered, and is measured here."""

    def skip(self, submission: str, digest: str) -> bool:  # noqa: ARG002 - for those who override it
        """Whether an earlier result of files with this digest still holds, so that they are not graded again."""
        return False
