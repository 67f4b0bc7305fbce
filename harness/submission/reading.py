"""Read a hand-in: staged, digested, described; never executed or unpickled here.

Everything is copied into a private folder first (`harness.submission.staging`), so that what is digested is
what is graded.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath

from harness.contracts.formats import WeightFormat
from harness.errors import SubmissionError, UsageError
from harness.submission.discovery import discover, submission_id
from harness.submission.entries import moment
from harness.submission.hand_in import HandIn
from harness.submission.manifest import manifest_taken_out
from harness.submission.predictions import is_predictions
from harness.submission.settings import SETTINGS_FILE, Settings, parse_settings, refusal
from harness.submission.shards import looks_like_shard, shards_of
from harness.submission.staging import (
    DEFAULT_LIMITS,
    WEIGHTS_SUFFIXES,
    ReadLimits,
    format_of,
    is_source,
    only_refused,
    stage,
)
from harness.values.results import TimeSource

__all__ = ["HandIn", "ReadLimits", "Settings", "Submission", "discover", "read_submission", "submission_id"]


_CLOSE_LOOKS = 3
"""Mistaken names for which one that is there is looked for; it takes long for each."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A staged hand-in.

    Attributes:
        id: printable name.
        folder: the staged copy, read-only.
        digest: `sha256:…` of names and contents; the same however the files were packed.
        sources: `.py` and `.ipynb` files, relative to `folder`, sorted.
        weights: the weights file, relative to `folder`; None when nothing looks like one. An index stands for its
            shards.
        weights_bytes: size of that file as handed in, with its shards; 0 without one.
        predictions: a file of predicted classes, where there is neither source nor weights.
        members: those the learning platform names, then those only submission.toml names.
        accounts: what else the learning platform knows each of them by.
        submitted_at: what the learning platform says, else submission.toml, else the newest file's time; None in a
            download whose platform does not say, for whoever downloaded it gave its files their times.
        time_source: who says so.
        late_mark: whether the learning platform marks it as late; None where it marks nothing.
        notes: what was coped with to read it.
        texts: of its sources, by file or cell, where they are asked for.
        hidden: files that its code does not see, relative to `folder`, where they were taken away.
    """

    id: str
    folder: Path
    digest: str
    sources: tuple[Path, ...]
    weights: Path | None
    weights_bytes: int
    predictions: Path | None
    settings: Settings
    members: tuple[str, ...]
    accounts: tuple[tuple[str, ...], ...]
    submitted_at: datetime | None
    time_source: TimeSource | None
    late_mark: bool | None
    notes: tuple[str, ...]
    texts: Mapping[str, str] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()


def read_submission(
    hand_in: HandIn, scratch: Path, formats: Mapping[str, WeightFormat], limits: ReadLimits = DEFAULT_LIMITS
) -> Submission:
    """Copy a hand-in (folder, archive, source file, or part of a download) below `scratch`, and describe it.

    Raises:
        SubmissionError: it is empty, broken, too large, leaves its folder, or does not say which weights count.
        UsageError: there is nothing at its path.
    """
    if not hand_in.path.exists():
        raise UsageError(f"{hand_in.path}: no such file or folder")
    folder, newest = stage(hand_in, scratch, formats, limits)
    changes = manifest_taken_out(folder)
    files = sorted(each.relative_to(folder) for each in folder.rglob("*") if each.is_file())
    if not files:
        raise SubmissionError.rejected("the submission is empty", "hand in a source file and a weights file")
    settings = _settings(folder, files)
    weights = _weights(folder, files, settings, formats)
    sources = tuple(each for each in files if is_source(each))
    submitted_at, time_source = _time_of(hand_in, settings, newest)
    return Submission(
        id=hand_in.id,
        folder=folder,
        digest=_digest(folder, files),
        sources=sources,
        weights=weights,
        weights_bytes=sum((folder / each).stat().st_size for each in with_shards(folder, weights)),
        predictions=None if sources or weights else _predictions(folder, files),
        settings=settings,
        members=_members_of(hand_in, settings),
        accounts=hand_in.accounts,
        submitted_at=submitted_at,
        time_source=time_source,
        late_mark=hand_in.late,
        notes=(*(["handed in late, says the learning platform"] if hand_in.late else []), *hand_in.notes, *changes),
    )


def no_weights() -> SubmissionError:
    """The refusal of sources without a weights file."""
    return SubmissionError.rejected(
        "there is no weights file",
        "put the trained weights beside the source, e.g. torch.save(model.state_dict(), 'weights.pt')",
    )


def _time_of(
    hand_in: HandIn, settings: Settings, newest: datetime | None
) -> tuple[datetime, TimeSource] | tuple[None, None]:
    """When it was handed in, and who says so. Where the platform marks it late, the student's word is not taken."""
    if hand_in.submitted_at is not None:
        return hand_in.submitted_at, "platform"
    if settings.submitted_at is not None and not hand_in.late:
        return settings.submitted_at, "submission.toml"
    if hand_in.parts is not None:
        return None, None
    changed = newest or moment(hand_in.path.stat().st_mtime)
    return (changed, "files") if changed else (None, None)


def _members_of(hand_in: HandIn, settings: Settings) -> tuple[str, ...]:
    # Canvas writes `smithjohn` for John Smith.
    known = {_letters(name) for name in hand_in.members}
    return (*hand_in.members, *(name for name in settings.members if _letters(name) not in known))


def _letters(name: str) -> str:
    return "".join(sorted(filter(str.isalnum, name.casefold())))


def _digest(folder: Path, files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for name, file in sorted((each.as_posix().encode(), folder / each) for each in files):
        with file.open("rb") as content:
            inner = hashlib.file_digest(content, "sha256").digest()
        digest.update(len(name).to_bytes(8, "big") + name + inner)
    return f"sha256:{digest.hexdigest()}"


def _settings(folder: Path, files: Sequence[Path]) -> Settings:
    if Path(SETTINGS_FILE) not in files:
        return Settings()
    settings = parse_settings((folder / SETTINGS_FILE).read_bytes())
    known = [each.as_posix() for each in files]
    named = [("weights", settings.weights)] if settings.weights else []
    named += settings.further_files().items()
    there = set(known)
    absent = [(key, name) for key, name in named if _plain(name) not in there]
    mistakes = [
        f"{key}: {_absent(name, known if index < _CLOSE_LOOKS else ())}" for index, (key, name) in enumerate(absent)
    ]
    if mistakes:
        raise refusal(mistakes)
    return settings


def _plain(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).as_posix()


def _absent(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(_plain(name), known, n=1)
    return f"there is no file {name!r}" + (f"; did you mean {close[0]!r}?" if close else "")


def _weights(
    folder: Path, files: Sequence[Path], settings: Settings, formats: Mapping[str, WeightFormat]
) -> Path | None:
    if settings.weights:
        return Path(_plain(settings.weights))
    others = {Path(_plain(each)) for each in settings.further_files().values()}
    others |= {each for each in files if is_source(each) or each == Path(SETTINGS_FILE)}
    for index in (each for each in files if each.suffix == ".json"):
        others |= set(with_shards(folder, index)[1:])
    known = {each: format_of(folder / each, formats) for each in files if each not in others}
    readable = [each for each, form in known.items() if form is not None and not only_refused(form)]
    found = readable or [each for each, form in known.items() if form is not None]
    if len(found) > 1 and all(looks_like_shard(each.name) for each in found):
        listed = ", ".join(each.as_posix() for each in found[:20])
        raise SubmissionError.rejected(
            f"the weights are in {len(found)} shards ({listed}), and the index that puts them together is missing",
            "hand in the …index.json that was saved beside them, or save one file: torch.save(model.state_dict(), …)",
        )
    if len(found) > 1:
        names = [each.as_posix() for each in found]
        lines = " or ".join(f"weights = {_toml(name)}" for name in names[:5])
        reason = f"{len(found)} files look like weights: {', '.join(names[:20])}"
        raise SubmissionError.rejected(reason, f"write one line into {SETTINGS_FILE}: {lines}")
    if not found:
        named = [each for each in files if each not in others and each.suffix.lower() in WEIGHTS_SUFFIXES]
        for each in named[:1]:
            raise _unreadable(folder, each)
    return found[0] if found else None


def with_shards(folder: Path, weights: Path | None) -> list[Path]:
    """A weights file, and after an index those of its shards that are there; relative to `folder`, as `weights` is."""
    if weights is None:
        return []
    with (folder / weights).open("rb") as file:
        shards = [weights.parent / name for name in shards_of(file)]
    return [weights, *(each for each in shards if (folder / each).is_file())]


def _unreadable(folder: Path, file: Path) -> SubmissionError:
    """Why a file that is called like weights is none, by the accidents that make such files."""
    with (folder / file).open("rb") as content:
        head = content.read(64)
    name = file.as_posix()
    if not head:
        return SubmissionError.rejected(f"{name} is empty", "save the weights again, and look at the file's size")
    if head.startswith(b"version https://git-lfs"):
        what, hint = "a Git LFS pointer, not the file itself", "run 'git lfs pull', then pack the folder again"
    elif head.lstrip().lower().startswith((b"<!doctype", b"<html")):
        what, hint = "a web page, not weights", "the site showed a page instead of the file: download it again"
    elif head.startswith((b"PK", b"\x80")):
        what, hint = "damaged: its end is missing", "copy or upload it again, and load it once yourself"
    else:
        what, hint = "not a weights file of any known format", "hand in torch.save(model.state_dict(), …)"
    return SubmissionError.rejected(f"{name} is {what}", hint)


def _predictions(folder: Path, files: Sequence[Path]) -> Path | None:
    tables = [each for each in files if is_predictions(folder / each)]
    tables = tables or [each for each in files if each.suffix.lower() == ".csv"]
    if len(tables) > 1:
        names = ", ".join(each.as_posix() for each in tables[:20])
        raise SubmissionError.rejected(f"{len(tables)} files hold predictions: {names}", "hand in one of them")
    return tables[0] if tables else None


def _toml(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
