"""Read predicted classes handed in as a table, as Kaggle takes them: line by line, never guessed at.

    id,pred          Id,Category      Id,label
    0,9              0000,3           0,10

Ids are the names of the image files without folder and suffix, or numbers, padded or not: the files' own numbers where
every file is named by one, else counted from 0 in the data set's order.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from harness.errors import SubmissionError
from harness.text import encoding_of, first_of

if TYPE_CHECKING:
    from harness.values.images import Examples

_IDS = frozenset({"id", "ids", "image_id", "imageid", "image", "index", "idx", "name", "filename", "file"})
_CLASSES = frozenset({"pred", "preds", "prediction", "predicted", "category", "label", "class", "target"})
_LIMIT_BYTES = 16 << 20
_HEAD_BYTES = 512
_MAX_MISTAKES_SHOWN = 5
_CLASS = re.compile(r"([+-]?\d{1,9})(?:\.0*)?")
_LABELLED = re.compile(r"(\d+)[_-].*")
_HINT = "write a header such as id,pred and one line for each image, with whole numbers as classes"


def is_predictions(path: Path) -> bool:
    """Whether a file is a table of ids and classes, by its first line."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    lines = [line for line in head.decode("utf-8-sig", "replace").splitlines() if line.strip()]
    return bool(lines) and _names_columns(lines[0].split(_delimiter(lines[0])))


def read_predictions(path: Path, shown: str, examples: Examples) -> tuple[int, ...]:
    """The predicted class of every image, in the order of `examples`.

    Args:
        shown: what the file is called in messages.

    Raises:
        SubmissionError: lines that are wrong, doubled or missing; the first few of each are named.
    """
    names, classes = examples.names, examples.classes
    places = _places(examples)
    predicted: dict[int, int] = {}
    lines: dict[int, int] = {}
    mistakes: list[str] = []
    rows = 0
    for line, row in _rows(path, shown):
        rows += 1
        index, chosen, mistake = _read(row, places, classes)
        if mistake is None and index in predicted:
            mistake = f"id {row[0].strip()} was there already, in line {lines[index]}"
        if mistake is not None:
            mistakes.append(f"line {line}: {mistake}")
        if index is not None:
            lines.setdefault(index, line)
            predicted.setdefault(index, chosen or 0)
    if len(predicted) < len(names):
        mistakes.append(_missing(names, predicted, rows))
    if mistakes:
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes):,} mistakes"
        listed = (
            mistakes
            if len(mistakes) <= 2 * _MAX_MISTAKES_SHOWN
            else [*mistakes[:_MAX_MISTAKES_SHOWN], "…", mistakes[-1]]
        )
        raise SubmissionError.rejected("\n  ".join([f"{shown}: {count}", *listed]), _HINT)
    return tuple(predicted[index] for index in range(len(names)))


def names_tell_classes(examples: Examples) -> bool:
    """Whether the file names begin with the class of each image, as `3_117.jpg` does."""
    matches = [_LABELLED.fullmatch(_stem(name)) for name in examples.names]
    labels = examples.labels.tolist()
    return len(set(labels)) > 1 and all(
        match is not None and int(match[1]) == label for match, label in zip(matches, labels, strict=True)
    )


def _places(examples: Examples) -> Mapping[str, int]:
    """Every id that means an image: file names, stems, and numbers without leading zeros."""
    names, labels = examples.names, examples.labels.tolist()
    stems = [_stem(name) for name in names]
    numbers = [_number(stem) for stem in stems]
    places: dict[str, int] = {}
    if None not in numbers and len(set(numbers)) == len(names):
        places = {str(number): index for index, number in enumerate(numbers)}
    elif labels != sorted(labels):  # else the places themselves would tell the classes
        places = {str(index): index for index in range(len(names))}
    for keys in (stems, [PurePosixPath(name).name for name in names]):
        if len(set(keys)) == len(names):
            places |= {key: index for index, key in enumerate(keys) if _number(key) is None}
    return places


def _stem(name: str) -> str:
    return PurePosixPath(name).stem


def _number(text: str) -> str | None:
    """A number as written without padding; None for anything else."""
    return (text.lstrip("0") or "0") if text.isascii() and text.isdecimal() else None


def _read(row: Sequence[str], places: Mapping[str, int], classes: int) -> tuple[int | None, int | None, str | None]:
    """(index of the image, class, what is wrong)."""
    if len(row) != 2:
        return None, None, f"{len(row)} columns instead of 2"
    name, text = (each.strip() for each in row)
    index = places.get(_number(name) or name)
    if index is None:
        return None, None, f"there is no image with the id {name[:60]!r}"
    match = _CLASS.fullmatch(text)
    if match is None:
        return index, None, f"the class is {text[:60]!r}, not a whole number"
    chosen = int(match[1])
    if not 0 <= chosen < classes:
        return index, None, f"class {chosen} is not one of 0 … {classes - 1}"
    return index, chosen, None


def _missing(names: Sequence[str], predicted: Mapping[int, int], rows: int) -> str:
    stems = [_stem(name) for index, name in enumerate(names) if index not in predicted]
    listed = first_of(stems, _MAX_MISTAKES_SHOWN)
    count = "1 id is" if len(stems) == 1 else f"{len(stems):,} ids are"
    return f"at the end: {rows:,} rows for {len(names):,} images; {count} missing: {listed}"


def _rows(path: Path, shown: str) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of every row below the header that is not blank."""
    if path.stat().st_size > _LIMIT_BYTES:
        raise SubmissionError.rejected(f"{shown} is larger than {_LIMIT_BYTES:,} bytes", _HINT)
    try:
        text = (data := path.read_bytes()).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        seems = f": it seems to be {name}" if (name := encoding_of(data)) else ""
        raise SubmissionError.rejected(f"{shown} is not UTF-8 text{seems}", "save it as 'CSV UTF-8'") from error
    first = next((line for line in text.splitlines() if line.strip()), "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(first))
    header = False
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if header:
                yield reader.line_num, row
            else:
                _require_header(row, shown, reader.line_num)
                header = True
    except csv.Error as error:
        raise SubmissionError.rejected(f"{shown}: line {reader.line_num}: {error}", _HINT) from error
    if not header:
        raise SubmissionError.rejected(f"{shown} is empty", _HINT)


def _require_header(row: Sequence[str], shown: str, line: int) -> None:
    if _names_columns(row):
        return
    found = ",".join(row)[:80]
    hint = _HINT
    if len(row) > 2 and not row[0].strip() and _names_columns(row[1:]):
        hint = "the first column is pandas' own index: write the table with to_csv(…, index=False)"
    elif len(row) == 2 and _names_columns(row[::-1]):
        hint = "the columns are the wrong way round: the id comes first"
    raise SubmissionError.rejected(
        f"{shown}: line {line}: a header such as id,pred should stand here, not {found!r}", hint
    )


def _names_columns(row: Sequence[str]) -> bool:
    cells = [cell.strip().strip('"').strip().lower() for cell in row]
    return len(cells) == 2 and cells[0] in _IDS and cells[1] in _CLASSES


def _delimiter(line: str) -> str:
    return max(",;\t", key=line.count)
