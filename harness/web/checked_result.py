"""A result as the value of a notebook's cell: a line of text, or the page that the site would have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from markupsafe import escape
from pydantic import PrivateAttr

from harness.assignment.loading import Assignment
from harness.report.next_steps import next_steps, own_facts, prediction
from harness.report.view import outcome, own_view
from harness.text import clean
from harness.values.results import Attempt, Result
from harness.web.reports import report_page

_HEIGHT_REM = 36


def own_page(attempt: Attempt, assignment: Assignment, limits: Mapping[str, float]) -> str:
    """The page for the author of a hand-in, with the score to expect and what to do next."""
    return report_page(own_view(attempt, assignment, limits), facts=own_facts(attempt.result, assignment))


class CheckedResult(Result):
    """A result that notebooks can show."""

    _line: str = PrivateAttr(default="")
    _page: str = PrivateAttr(default="")

    @classmethod
    def of(cls, attempt: Attempt, assignment: Assignment, limits: dict[str, float]) -> Self:
        """What one attempt came to, with its page."""
        result = attempt.result
        made = cls(**{name: getattr(result, name) for name in Result.model_fields})
        step = next_steps(result, assignment)[0]
        said = prediction(result, assignment) if result.status == "graded" else outcome(result)
        made._line = clean(f"<{result.status}: {said}. Next: {step}>", 1000)
        made._page = own_page(attempt, assignment, limits)
        return made

    def __repr__(self) -> str:
        return self._line

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """The page in a frame of its own, so that neither its style nor the notebook's reaches the other."""
        style = f"width:100%;height:{_HEIGHT_REM}rem;border:0"
        return f'<iframe title="harness check" sandbox style="{style}" srcdoc="{escape(self._page)}"></iframe>'
