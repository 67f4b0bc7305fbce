"""Read what instructors bring: tables as spreadsheets save them, folders of images."""

from harness.csv_tables import CsvRow, CsvTable, read_lines, read_table
from harness.errors import Problem, TableError
from harness.torchvision_import import import_torchvision

__all__ = [
    "CsvRow",
    "CsvTable",
    "Problem",
    "TableError",
    "import_torchvision",
    "read_lines",
    "read_table",
]
