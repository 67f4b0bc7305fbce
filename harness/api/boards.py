"""Show a board in words: its symbols, and a student's score line by line; and what `harness check` found.

The boards themselves (`Board`, `Standing`, …) are values, in `harness.api`.
"""

from harness.points.scoring import lines_for_student, total
from harness.report.checked import markdown_of_check
from harness.values.board import symbols, used_symbols
from harness.values.results import Report, Result, pending_of

__all__ = [
    "Report",
    "Result",
    "lines_for_student",
    "markdown_of_check",
    "pending_of",
    "symbols",
    "total",
    "used_symbols",
]
