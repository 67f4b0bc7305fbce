"""Bulk downloads of Canvas, Moodle and Gradescope: who handed in which of the files.

    Canvas      <sortablename>[_LATE]_<user id>_<attachment id>_<file name>, all in one folder
    Moodle      <full name>_<participant id>_assignsubmission_file/<path>, a folder for each person
    Gradescope  submission_metadata.yml, and submission_<id>/<path> for each person or group

A download is recognised by these names, as a folder or as the .zip that was downloaded. Nothing is unpacked here: a
`HandIn` says which files are whose and what they were called, and `harness.submission` reads them.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.archives import archive_suffix, escape, is_noise, zip_names
from harness.errors import UsageError

_CANVAS = re.compile(
    r"(?:(?P<name>\w*?)(?P<late>_LATE)?_)(?P<user>\d+)_(?:(?P<number>\d+)_(?P<file>.+)|(?P<entry>(?:text|link)\.html))"
)
_CANVAS_ANONYMOUS = re.compile(
    r"(?P<late>LATE_)?anon_(?P<user>[0-9A-Za-z]+)_(?:(?P<number>\d+)_(?P<file>.+)|(?P<entry>(?:text|link)\.html))"
)
_NUMBERED = re.compile(r"(?P<stem>[^.]+)-\d{1,4}(?P<rest>\..*)?")
_MOODLE = re.compile(r"(?P<name>.*)_(?P<user>\d+)_assignsubmission_(?P<kind>file|onlinetext)_?(?P<file>.*)")
_GRADESCOPE = re.compile(r"submission_(\d+)")
_METADATA = "submission_metadata.yml"
_METADATA_LIMIT_BYTES = 64 << 20
_METADATA_DEPTH = 100
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Part:
    """A file or folder of a download.

    Attributes:
        source: its path in the download.
        name: what it is called in the submission; empty for a folder whose content is the submission.
        original: the name with the number Canvas may have put into it; empty where that is `name`.
    """

    source: str
    name: str = ""
    original: str = ""


@dataclass(frozen=True, slots=True)
class HandIn:
    """A submission that was found but not read.

    Attributes:
        id: stable and printable; in a download the person's id.
        path: the submission itself; or the download that holds `parts` of it.
        parts: None where `path` is the submission.
        members: who handed it in, as far as the platform says.
        late: whether the platform marks it so.
        submitted_at: None where the platform does not say.
        notes: what was coped with to find it.
    """

    id: str
    path: Path
    parts: tuple[Part, ...] | None = None
    members: tuple[str, ...] = ()
    late: bool = False
    submitted_at: datetime | None = None
    notes: tuple[str, ...] = ()


def bulk_download(path: Path) -> tuple[HandIn, ...] | None:
    """The submissions of the download at `path`, sorted by id; None when it is none.

    Raises:
        UsageError: it is one, but not as it was downloaded.
    """
    prefix, items = _top(path)
    found = _gradescope(path, prefix, items)
    if found is None:
        found = _moodle(path, prefix, items)
    if found is None:
        found = _canvas(path, prefix, items)
    return None if found is None else tuple(sorted(found, key=lambda each: each.id))


def _top(path: Path) -> tuple[str, dict[str, bool]]:
    """(where the download starts inside `path`, name -> whether it is a folder)."""
    if path.is_dir():
        items = {each.name: each.is_dir() for each in path.iterdir() if not each.is_symlink()}
        items = {name: folder for name, folder in items.items() if not is_noise((name,))}
        export = next(iter(items), "") if len(items) == 1 else ""
        if re.fullmatch(r"assignment_\d+_export", export):
            _, inner = _top(path / export)
            return f"{export}/", inner
        return "", items
    names = [each for each in zip_names(path) if not is_noise(each)] if archive_suffix(path) == ".zip" else []
    firsts = {each[0] for each in names}
    # One folder around everything comes from packing a download again; a single person's folder is no such thing.
    wrapped = len(firsts) == 1 and all(len(each) > 1 for each in names) and not _MOODLE.fullmatch(names[0][0])
    if wrapped:
        names = [each[1:] for each in names]
    return (f"{next(iter(firsts))}/" if wrapped else ""), {each[0]: len(each) > 1 for each in names}


def _canvas(path: Path, prefix: str, items: Mapping[str, bool]) -> list[HandIn] | None:
    matches = {name: _CANVAS_ANONYMOUS.fullmatch(name) or _CANVAS.fullmatch(name) for name in items}
    files = {name: match for name, match in matches.items() if match and not items[name]}
    others = sorted(name for name in items if name not in files and (items[name] or _is_work(name)))
    if not files or (others and len(files) <= max(len(others), 2)):
        return None
    if others:
        shown = ", ".join(escape(name) for name in others[:_SHOWN]) + (" …" if len(others) > _SHOWN else "")
        raise UsageError(
            f"{path} looks like a bulk download of Canvas, but it also holds {shown}: move that elsewhere, or say "
            "--single if all of it is one submission"
        )
    people: dict[str, list[_CanvasFile]] = {}
    for name, match in files.items():
        people.setdefault(match["user"], []).append(_canvas_file(name, match))
    return [_canvas_hand_in(path, prefix, user, found) for user, found in people.items()]


@dataclass(frozen=True, slots=True)
class _CanvasFile:
    source: str
    number: int
    """The attachment's; later uploads have larger ones."""
    file: str
    person: str
    late: bool


def _canvas_file(source: str, match: re.Match[str]) -> _CanvasFile:
    person = match.groupdict().get("name") or ""
    number = int(match["number"] or 0)
    return _CanvasFile(source, number, _file_name(match["file"] or match["entry"]), escape(person), bool(match["late"]))


def _canvas_hand_in(path: Path, prefix: str, user: str, files: list[_CanvasFile]) -> HandIn:
    newest = max(files, key=lambda each: each.number)
    kept: dict[str, _CanvasFile] = {}
    for each in sorted(files, key=lambda each: each.number):
        kept[each.file] = each
    names, replaced = _unnumbered(kept)
    notes = [
        f"Canvas numbers what is handed in again: {file} is read as {name}"
        for file, name in sorted(names.items())
        if file != name
    ]
    notes += [f"{old} was left out: {new} is a newer file of that name" for old, new in sorted(replaced.items())]
    parts = tuple(
        Part(f"{prefix}{kept[file].source}", name, file if file != name else "") for file, name in sorted(names.items())
    )
    return HandIn(user, path, parts, (newest.person,) if newest.person else (), newest.late, None, tuple(notes))


def _unnumbered(files: Mapping[str, _CanvasFile]) -> tuple[dict[str, str], dict[str, str]]:
    """(file -> its name without Canvas's number, file left out -> the newer one of that name).

    `part-1.py` and `part-2.py` without a `part.py` are two files that their author numbered.
    """
    same: dict[str, list[str]] = {}
    for file in files:
        match = _NUMBERED.fullmatch(file)
        same.setdefault(match["stem"] + (match["rest"] or "") if match else file, []).append(file)
    names: dict[str, str] = {}
    replaced: dict[str, str] = {}
    for clean, found in same.items():
        newest = max(found, key=lambda file: files[file].number)
        if len(found) == 1 or (clean in found and newest != clean):
            names[newest] = clean
            replaced |= {file: newest for file in found if file != newest}
        else:
            names |= {file: file for file in found}
    return names, replaced


def _file_name(text: str) -> str:
    return "file" if text in {"", ".", ".."} else escape(text)


def _is_work(name: str) -> bool:
    return name.lower().endswith((".py", ".ipynb")) or archive_suffix(Path(name)) is not None


def _moodle(path: Path, prefix: str, items: Mapping[str, bool]) -> list[HandIn] | None:
    found: dict[str, dict[str, list[Part]]] = {}
    names: dict[str, str] = {}
    for item in sorted(items):
        match = _MOODLE.fullmatch(item)
        if match:
            names[match["user"]] = escape(match["name"])
            part = Part(f"{prefix}{item}", "" if items[item] else _file_name(match["file"]))
            found.setdefault(match["user"], {}).setdefault(match["kind"], []).append(part)
    if not found:
        return None
    return [
        HandIn(user, path, tuple(kinds.get("file") or kinds["onlinetext"]), (names[user],))
        for user, kinds in found.items()
    ]


def _gradescope(path: Path, prefix: str, items: Mapping[str, bool]) -> list[HandIn] | None:
    folders = {name for name in items if _GRADESCOPE.fullmatch(name)}
    if items.get(_METADATA) is not False:
        return None
    metadata = _metadata(path, prefix + _METADATA)
    found: dict[str, HandIn] = {}
    for name in sorted({*metadata, *folders}, key=lambda each: (len(each), each)):
        hand_in = _gradescope_hand_in(path, prefix, name, metadata.get(name), name in folders or name in items)
        before = found.get(hand_in.id)
        if before is None:
            found[hand_in.id] = hand_in
        else:
            newer, older = (before, hand_in) if _moment(before) > _moment(hand_in) else (hand_in, before)
            note = f"an older submission of the same person was left out: {_source(older)}"
            found[hand_in.id] = replace(newer, notes=(*newer.notes, note))
    return list(found.values())


def _gradescope_hand_in(path: Path, prefix: str, name: str, facts: object, there: bool) -> HandIn:
    parts = (Part(f"{prefix}{name}", "" if _GRADESCOPE.fullmatch(name) else escape(name)),) if there else ()
    if not isinstance(facts, dict):
        return HandIn(escape(name), path, parts, notes=(f"{_METADATA} does not say who handed it in",))
    people = [each for each in _listed(facts.get(":submitters")) if isinstance(each, dict)]
    known = [_text(each.get(":sid")) or _text(each.get(":email")) for each in people]
    return HandIn(
        known[0] if len(known) == 1 and known[0] else escape(name),
        path,
        parts,
        tuple(shown for each in people if (shown := _text(each.get(":name")) or _text(each.get(":email")))),
        submitted_at=_aware(facts.get(":created_at")),
    )


def _metadata(path: Path, name: str) -> dict[str, object]:
    where = f"{path}: {name}"
    try:
        document = _yaml(_content(path, name))
    except (
        OSError,
        zipfile.BadZipFile,
        ValueError,
        OverflowError,
        RecursionError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise UsageError(f"{where} cannot be read: {str(error) or type(error).__name__}") from error
    if not isinstance(document, dict):
        raise UsageError(f"{where} does not list submissions; download the submissions again")
    return {str(key): facts for key, facts in document.items()}


def _content(path: Path, name: str) -> bytes:
    if path.is_dir():
        with (path / name).open("rb") as file:
            data = file.read(_METADATA_LIMIT_BYTES + 1)
    else:
        with zipfile.ZipFile(path) as archive, archive.open(name) as member:
            data = member.read(_METADATA_LIMIT_BYTES + 1)
    if len(data) > _METADATA_LIMIT_BYTES:
        raise ValueError(f"larger than {_METADATA_LIMIT_BYTES:,} bytes")
    return data


def _yaml(data: bytes) -> object:
    """Plain values of a YAML document; Ruby's own tags are dropped, nothing is ever constructed from one.

    Raises:
        ValueError: not YAML.
    """
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        pass

    def plain(loader: Any, _tag: str, node: Any) -> object:
        match node:
            case yaml.MappingNode():
                return loader.construct_mapping(node, deep=True)
            case yaml.SequenceNode():
                return loader.construct_sequence(node, deep=True)
            case _:
                return loader.construct_scalar(node)

    Loader.add_multi_constructor("", plain)
    depth = 0
    try:
        # Events come one by one, but libyaml builds values recursively, without Python's guard.
        for event in yaml.parse(data, Loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _METADATA_DEPTH:
                raise ValueError("nested too deeply")
        return yaml.load(data, Loader)  # noqa: S506 - a safe loader, which only knows plain values
    except (yaml.YAMLError, UnicodeError, TypeError, AttributeError) as error:
        raise ValueError(f"not the YAML that Gradescope writes: {error}") from error


def _listed(value: object) -> Iterable[object]:
    return value if isinstance(value, list) else ()


def _text(value: object) -> str:
    return escape(str(value).strip())[:200] if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _aware(value: object) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _moment(hand_in: HandIn) -> datetime:
    return hand_in.submitted_at or datetime.min.replace(tzinfo=UTC)


def _source(hand_in: HandIn) -> str:
    return hand_in.parts[0].source if hand_in.parts else "one without files"
