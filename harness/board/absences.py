"""Leave out who does not count: those an instructor excused, and those removed from the class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from harness.board.roster import Roster
from harness.values.board import Excused, Person
from harness.values.decisions import Ruling
from harness.values.results import Attempt


@dataclass(frozen=True)
class LeftOut:
    """Those with a ruling of one kind.

    Args:
        rulings: id of a submission, a person or a team -> what holds for it. One for a person of a team is about that
            person alone: the team's hand-in counts for the others.
        roster: who takes part.
    """

    rulings: Mapping[str, Ruling]
    roster: Roster = field(default_factory=lambda: Roster(()))

    @cached_property
    def _groups(self) -> Mapping[str, str]:
        return self.roster.groups

    @cached_property
    def _members(self) -> Mapping[str, tuple[Person, ...]]:
        return self.roster.by_group()

    def of_hand_in(self, submission: str) -> Ruling | None:
        """The ruling that leaves a hand-in out: its own, its team's, or that of the last one of its team."""
        group = self._groups.get(submission, submission)
        members = self._members.get(group, ())
        if group in self.rulings or len(members) <= 1:
            return self.rulings.get(group) or self.rulings.get(submission)
        found = [self.rulings.get(person.id) for person in members]
        return found[0] if all(found) else None

    def of_person(self, person: Person) -> Ruling | None:
        """The ruling about a person or the person's team."""
        return self.rulings.get(person.id) or self.rulings.get(person.team or person.id)

    def attempts(self, attempts: Iterable[Attempt]) -> tuple[Attempt, ...]:
        """The attempts that remain."""
        return tuple(each for each in attempts if self.of_hand_in(each.result.submission) is None)

    def rest(self) -> Roster:
        """The roster without them."""
        people = tuple(person for person in self.roster.people if self.of_person(person) is None)
        return replace(self.roster, people=people)

    def excused(self) -> tuple[Excused, ...]:
        """Those left out, person by person as far as the roster knows them, by id."""
        people = [(person, ruling) for person in self.roster.people if (ruling := self.of_person(person)) is not None]
        known = {name for person, _ in people for name in (person.id, person.team)}
        people += [(Person(id=who, name=who), ruling) for who, ruling in self.rulings.items() if who not in known]
        return tuple(
            Excused(**person.model_dump(), ruling=ruling) for person, ruling in sorted(people, key=lambda it: it[0].id)
        )
