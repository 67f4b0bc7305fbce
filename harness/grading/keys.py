"""Digest what decides an outcome, so that nothing is run twice that would come out the same.

intake       files of a hand-in + what the assignment asks for       its code runs once
evaluation   network (or hand-in) + `how` + the images it looks at   an evaluator measures once
conditions   all of them together, for a whole class                 unchanged files are not even read again
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from harness.assignment.loading import Assignment
from harness.points.judging import Judge, digest_of, reads
from harness.values.networks import Verification

Ended = Literal["graded", "measuring", "opening"]
"""How far grading a hand-in came: to its end, or to where it failed."""
ENDS: tuple[Ended, ...] = get_args(Ended)


@dataclass(frozen=True)
class Keys:
    """The keys of one run of grading.

    Args:
        judge: of the assignment.
        versions: evaluator -> version of the software that it comes with.
        harness: version of the harness.
        sandbox: the name of what confines student code.
        data: data set -> digest of its images; `teacher` for the assignment's own network.
        device: where verified networks are measured.
    """

    assignment: Assignment
    judge: Judge
    versions: Mapping[str, str]
    harness: str
    sandbox: str
    data: Mapping[str, str]
    device: str = "cpu"

    def intake(self, files: str, input_size: int) -> str:
        """Of what comes of running a hand-in's code.

        Args:
            files: digest of the hand-in.
        """
        return digest_of([self._asked, self.harness, self.sandbox, files, input_size])

    def evaluation(
        self, name: str, *, intake: str, network: Verification | None, input_size: int, earlier: Sequence[str]
    ) -> str:
        """Of what an evaluator finds.

        Args:
            intake: key of the hand-in's.
            network: what was verified of its network; None: there is none.
            earlier: keys of the evaluators before this one.
        """
        read = reads(self.judge.evaluators[name])
        alone = "hand_in" not in read and network is not None and network.verified
        assert network is not None or not alone
        # What an older harness kept was measured on the CPU, and stays known.
        elsewhere = self.device != "cpu" and network is not None and network.verified and "images" in read
        return digest_of(
            {
                **({"device": self.device} if elsewhere else {}),
                "how": self.judge.hows[name],
                "version": [self.harness, self.versions[name]],
                "of": network.digest if alone and network else intake,
                "images": [self.data, input_size] if "images" in read else None,
                "earlier": list(earlier) if "earlier" in read else None,
            }
        )

    def conditions(self, ended: Ended) -> str:
        """Of everything but the hand-in. What came to its end does not depend on limits of time and memory; what never
        began to be measured does not depend on measuring.
        """
        limits = self.assignment.rules.limits.model_dump(mode="json")
        refused = self.assignment.rules.submission.unverified == "refuse"
        opening = [self._asked, refused, self.harness, self.sandbox]
        measuring: list[object] = [self.judge.hows, self.versions, self.data]
        measuring += [] if self.device == "cpu" else [self.device]
        match ended:
            case "graded":
                return digest_of([opening, measuring])
            case "measuring":
                return digest_of([opening, measuring, limits])
            case "opening":
                return digest_of([opening, limits])

    @property
    def _asked(self) -> object:
        """What the assignment wants a hand-in to be."""
        rules = self.assignment.rules
        shape = {"classes": rules.images.classes, "channels": rules.images.channels}
        later = {"unverified", "attempts_per_day"}
        return [rules.submission.model_dump(mode="json", exclude=later, exclude_defaults=True), shape]
