"""Build the board from attempts: ranked fairly, with ties, scores, significance and the Pareto front."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from harness.assignment.loading import Assignment
from harness.board.display_names import nicknames, pseudonyms
from harness.board.ranking import RankingRules, counting, newest_images, places_by, ranked
from harness.board.roster import Roster
from harness.board.significance import against_leader, axes_of, baseline_lines, on_front
from harness.board.times import HandInTimes
from harness.points import rubric
from harness.points.lateness import Lateness, lateness
from harness.points.manual import GivenPoints
from harness.points.possible import points_possible
from harness.points.scoring import DECIDED, Place, ScoreInputs, most, score_lines, total
from harness.values.board import Board, Excused, Overridden, Person, Standing, Unranked
from harness.values.decisions import Override
from harness.values.measures import ACCURACY, Check, Figures
from harness.values.results import Attempt, Result
from harness.values.rules import AssignmentFile, RankKey
from harness.vocabulary import DeviceName, describe_status


@dataclass(frozen=True, slots=True)
class BoardInputs:
    """What a board may know beside the attempts."""

    figures: Figures | None = None
    """Whose images count; None: the public ones where the assignment splits its data, else all."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Submission id -> how many different hand-ins of it were graded; 1 where absent."""
    overrides: Mapping[str, Override] = field(default_factory=dict)
    manual_points: GivenPoints = field(default_factory=dict)
    roster: Roster | None = None
    excused: tuple[Excused, ...] = ()
    """Who is in neither the attempts nor the roster, because the assignment does not count for them."""
    times: HandInTimes = field(default_factory=HandInTimes)
    frozen_at: datetime | None = None
    """Attempts graded later are ignored."""
    pseudonym_key: bytes | None = None
    """The store's secret, for anonymous boards; None: nicknames."""


def standings(attempts: Iterable[Attempt], assignment: Assignment, inputs: BoardInputs | None = None) -> Board:
    """Rank submissions by the assignment's keys, whatever the order they come in.

    Never ranked, but listed with the reason: a status other than `graded`, a failed gate, a missing ranking metric, and
    an attempt under another version of the assignment or on other data, whose numbers are not comparable.

    Args:
        attempts: any number of each submission; the assignment says which one counts.
    """
    return BoardBuilder.of(attempts, assignment, inputs or BoardInputs()).board()


@dataclass
class BoardBuilder:
    """A board while it is made: `of` finds the attempts that count, `board` compares them."""

    assignment: Assignment
    inputs: BoardInputs
    figures: Figures
    rules: RankingRules
    attempts: list[Attempt]
    """Those that count, with overrides applied, by submission id."""
    found: Mapping[str, Result]
    """The same as they were found, without overrides."""
    names: Mapping[str, str]
    groups: Mapping[str, str]
    counts: Mapping[str, int]
    """Submission or team -> hand-ins that were graded."""
    stand_ins: set[str]
    """Submissions graded on a stand-in."""
    people: Mapping[str, tuple[Person, ...]]
    """Team or submission -> those of the roster it belongs to."""
    devices: Mapping[str, DeviceName]
    """Submission with a verified network -> where that was measured."""
    further: tuple[str, ...] = ()
    rubric_places: dict[str, dict[str, Place]] = field(default_factory=dict)
    """Metric of a `[[rubric.rank]]` -> submission id -> place."""
    public_ranks: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, attempts: Iterable[Attempt], assignment: Assignment, inputs: BoardInputs) -> BoardBuilder:
        split = assignment.rules.data["test"].public_fraction is not None
        figures = inputs.figures or ("public" if split else "all")
        groups = inputs.roster.groups if inputs.roster else {}
        counted = (each for each in attempts if inputs.frozen_at is None or each.graded_at <= inputs.frozen_at)
        known = [inputs.times.applied(each) for each in counted]
        rules = RankingRules(assignment, _keys(assignment, figures), newest_images(known, assignment.digest))
        given = {each.number: overridden(each, inputs.overrides, assignment.rules) for each in known}
        chosen = counting(given.values(), rules, groups, assignment.rules.board.attempts)
        numbers = {each.number for each in chosen}
        results = [each.result for each in chosen]
        key = inputs.pseudonym_key
        return cls(
            assignment=assignment,
            inputs=inputs,
            figures=figures,
            rules=rules,
            attempts=chosen,
            found={each.result.submission: each.result for each in known if each.number in numbers},
            names=nicknames(results) if key is None else pseudonyms(results, key, groups),
            groups=groups,
            counts=_by_group(inputs.counts, groups),
            people=inputs.roster.by_group() if inputs.roster else {},
            devices={
                each.result.submission: each.environment.device
                for each in chosen
                if each.result.network is not None and each.result.network.verified
            },
            stand_ins={each.result.submission for each in chosen if each.assignment.data.stand_in},
        )

    def board(self) -> Board:
        """The finished board."""
        reasons = {each.number: self.rules.no_place(each) for each in self.attempts}
        placed = [each.result for each in self.attempts if reasons[each.number] is None]
        places = ranked(placed, self.rules.key)
        results = [result for _, result in places]
        self._rank_by_rubric(results)
        self.further = self._further(results)
        rules, measures = self.assignment.rules, self.assignment.measures
        axes = axes_of(results, self._against(), measures.under(ACCURACY, self.figures), measures)
        rows = against_leader([self._standing(*place) for place in places], results, self.figures)
        out = [(each.result, reason) for each in self.attempts if (reason := reasons[each.number]) is not None]
        roster = self.inputs.roster
        return Board(
            assignment=self.assignment.info,
            title=rules.title,
            figures=self.figures,
            ranking=self.rules.ranking,
            further=self.further,
            titles={
                name: measures.title(name) for name in (*(key.metric for key in self.rules.ranking), *self.further)
            },
            briefly=tuple(name for name in measures.on_board(narrow=True) if name in self.further),
            pareto=axes,
            baselines=baseline_lines(rules.baselines, self.rules.ranking[0], rows, measures),
            standings=tuple(on_front(_tied(rows), results, axes)),
            unranked=tuple(self._unranked(*each) for each in out),
            missing=roster.missing(each.result.submission for each in self.attempts) if roster else (),
            excused=tuple(each.told_in(rules.zone) for each in self.inputs.excused),
            frozen_at=self.inputs.frozen_at and self.inputs.frozen_at.astimezone(rules.zone),
        )

    def _rank_by_rubric(self, placed: Sequence[Result]) -> None:
        """Find the places that points depend on, among those that have a place at all."""
        wanted = {rule.metric for rule in self.assignment.rules.rubric.rank}
        self.rubric_places = {metric: places_by(metric, placed) for metric in wanted}
        if self.figures == "private":
            public = _keys(self.assignment, "public")
            rules = RankingRules(self.assignment, public, None)
            measured = [each for each in placed if all(key.metric in each.metrics for key in public)]
            self.public_ranks = {each.submission: rank for rank, each in ranked(measured, rules.key)}

    def _standing(self, rank: int, result: Result) -> Standing:
        """A row without what it has in comparison with others."""
        return Standing(
            rank=rank,
            public_rank=self.public_ranks.get(result.submission),
            stand_in=result.submission in self.stand_ins,
            device=self.devices.get(result.submission) if len(set(self.devices.values())) > 1 else None,
            **self._verification(result),
            **self._entry(result),
        )

    def _verification(self, result: Result) -> dict[str, Any]:
        """What a row says of its network, where the assignment has that marked."""
        if result.network is None or self.assignment.rules.submission.unverified == "accept":
            return {}
        return {"verified": result.network.verified, "unverified_because": result.network.reason}

    def _unranked(self, result: Result, reason: str) -> Unranked:
        return Unranked(reason=reason, **self._entry(result))

    def _entry(self, result: Result) -> dict[str, Any]:
        rules, submission = self.assignment.rules, result.submission
        override = self.inputs.overrides.get(submission)
        late = lateness(rules.rubric.late, result, self.inputs.times.due_of(submission))
        lines = score_lines(rules, result, self._circumstances(submission, override, late))
        before = score_lines(rules, self.found[submission], self._circumstances(submission, None, late))
        shown = [*(key.metric for key in self.rules.ranking), *self.further]
        return {
            "name": self.names[submission],
            "submission": submission,
            "members": result.members,
            "accounts": result.accounts,
            "people": self.people.get(self.groups.get(submission, submission), ()),
            "status": result.status,
            "score": total(lines),
            "max_score": most(rules, lines),
            "possible": points_possible(rules, lines),
            "points": lines,
            "metrics": {name: result.metrics[name] for name in shown if name in result.metrics},
            "failed_checks": tuple(check.name for check in result.checks if check.verdict == "failed"),
            "unchecked": tuple(check.name for check in result.checks if check.verdict == "could_not_check"),
            "attempts": max(1, self.counts[self.groups.get(submission, submission)]),
            "submitted_at": result.submitted_at and result.submitted_at.astimezone(rules.zone),
            "late_days": late.days,
            "late_unknown": late.marked,
            "override": override
            and Overridden(
                at=override.at.astimezone(rules.zone),
                author=override.author,
                reason=override.reason,
                old_status=self.found[submission].status,
                old_score=total(before),
            ),
        }

    def _circumstances(self, submission: str, override: Override | None, late: Lateness) -> ScoreInputs:
        places = {metric: found[submission] for metric, found in self.rubric_places.items() if submission in found}
        manual_points = self.inputs.manual_points.get(self.groups.get(submission, submission), {})
        return ScoreInputs(places, manual_points, override, late, self.assignment.measures)

    def _further(self, results: Sequence[Result]) -> tuple[str, ...]:
        """What is shown beside what the board ranks by; the class sees of it what tells nothing private."""
        ranked_by = {key.metric for key in self.rules.ranking}
        shown = [name for name in self.assignment.measures.on_board() if name not in ranked_by]
        return tuple(name for name in shown if any(name in each.metrics for each in results))

    def _against(self) -> str | None:
        """The metric that accuracy is drawn against: unless the assignment says, the first about the weights."""
        measures, chosen = self.assignment.measures, self.assignment.rules.board.pareto
        if chosen is not None:
            return measures.under(chosen, self.figures)
        known = (*(key.metric for key in self.rules.ranking), *measures.on_board())
        return next((name for name in known if measures.is_about_weights(name)), None)


def _keys(assignment: Assignment, figures: Figures) -> tuple[RankKey, ...]:
    """The ranking by these images."""
    under = assignment.measures.under
    return tuple(key.model_copy(update={"metric": under(key.metric, figures)}) for key in assignment.rules.ranking)


def overridden(attempt: Attempt, overrides: Mapping[str, Override], rules: AssignmentFile) -> Attempt:
    """The attempt with the status and verdicts an instructor gave it, and the automatic points that follow."""
    override, result = overrides.get(attempt.result.submission), attempt.result
    if override is None:
        return attempt
    status = override.status or result.status
    checks = tuple(_decided(check, override) for check in result.checks)
    if (status, checks) == (result.status, result.checks):
        return attempt
    reason = f"{override.author} set the status to {status}: {override.reason}"
    if status == "graded":
        lines = rubric.points(rules, {check.name: check for check in checks}, result.metrics)
    else:
        lines = rubric.nothing(rules, describe_status(status))
    changed = {
        "status": status,
        "reason": result.reason if status == result.status else reason,
        "checks": checks,
        "points": lines,
        "score": sum(each.points for each in lines),
    }
    return attempt.model_copy(update={"result": result.model_copy(update=changed)})


def _decided(check: Check, override: Override) -> Check:
    verdict = override.checks.get(check.name)
    if verdict is None or verdict == check.verdict:
        return check
    return Check(name=check.name, verdict=verdict, reason=DECIDED.format("verdict"))


def _by_group(counts: Mapping[str, int], groups: Mapping[str, str]) -> Mapping[str, int]:
    together: Counter[str] = Counter()
    for submission, count in counts.items():
        together[groups.get(submission, submission)] += count
    return together


def _tied(rows: Sequence[Standing]) -> list[Standing]:
    shared = Counter(row.rank for row in rows)
    return [row.model_copy(update={"tie": shared[row.rank] > 1}) for row in rows]
