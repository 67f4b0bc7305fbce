"""Remember what was found, so that it is not found again: for a class in the store, for `check` not at all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from harness.networks.intake import Intake, unpacked
from harness.values.evaluation import Evaluation

if TYPE_CHECKING:
    from harness.store.store import Store


class Memory:
    """Remembers nothing: whatever is asked for was never seen. All of it is called from worker threads."""

    def intake(self, key: str) -> Intake | None:  # noqa: ARG002 - for those who override it
        """What running a hand-in's code gave, without tensors where they were too many to be kept."""
        return None

    def keep_intake(self, key: str, intake: Intake) -> bool:  # noqa: ARG002
        """Remember it; whether all of it, if it was complete."""
        return True

    def evaluations(self, keys: Collection[str]) -> Mapping[str, tuple[datetime, Evaluation]]:  # noqa: ARG002
        """Key -> when something was found and what, for those that are known."""
        return {}

    def keep_evaluation(self, key: str, at: datetime, evaluation: Evaluation) -> None:
        """Remember it."""


@dataclass(frozen=True)
class StoreMemory(Memory):
    """Keeps everything in a store.

    Args:
        most_bytes: of a hand-in's tensors; of one that has more, all but the tensors is kept.
        fresh: whether to recall nothing: what is found replaces what was kept.
    """

    store: Store
    most_bytes: int
    fresh: bool = False

    def intake(self, key: str) -> Intake | None:
        """See `Memory`."""
        found = None if self.fresh else self.store.intake(key)
        try:
            return None if found is None else unpacked(*found)
        except ValueError:
            return None

    def keep_intake(self, key: str, intake: Intake) -> bool:
        """See `Memory`."""
        tensors = intake.packed(self.most_bytes)
        self.store.keep_intake(key, intake.said.model_dump_json(), tensors)
        return tensors is not None or not intake.complete

    def evaluations(self, keys: Collection[str]) -> Mapping[str, tuple[datetime, Evaluation]]:
        """See `Memory`."""
        return {} if self.fresh else self.store.evaluations(keys)

    def keep_evaluation(self, key: str, at: datetime, evaluation: Evaluation) -> None:
        """See `Memory`."""
        self.store.keep_evaluation(key, at, evaluation)
