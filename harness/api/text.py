"""Write what strangers wrote, and numbers, for people: cleaned, escaped, with units."""

from harness.text import (
    cell_text,
    clean,
    clean_lines,
    csv_cell,
    figure_text,
    first_of,
    interval_text,
    markdown_cell,
    metric_text,
    points_text,
    score_text,
    shape_text,
    to_come_text,
    told_apart,
    whole_text,
)
from harness.values.moments import moment_text

__all__ = [
    "cell_text",
    "clean",
    "clean_lines",
    "csv_cell",
    "figure_text",
    "first_of",
    "interval_text",
    "markdown_cell",
    "metric_text",
    "moment_text",
    "points_text",
    "score_text",
    "shape_text",
    "to_come_text",
    "told_apart",
    "whole_text",
]
