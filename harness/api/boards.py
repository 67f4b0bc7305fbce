"""Show a board in words: its symbols, and a student's score line by line.

The boards themselves (`Board`, `Standing`, …) are values, in `harness.api`.
"""

from harness.points.scoring import lines_for_student, total
from harness.values.board import symbols, used_symbols
from harness.values.results import pending_of

__all__ = [
    "lines_for_student",
    "pending_of",
    "symbols",
    "total",
    "used_symbols",
]
