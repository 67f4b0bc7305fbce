"""Read Gradescope's bulk exports: who handed in what, by submission_metadata.yml."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.submission.archives import is_work_name
from harness.submission.entries import escape, plausible
from harness.submission.hand_in import Found, HandIn, Part
from harness.submission.strays import with_strays

_GRADESCOPE = re.compile(r"submission_(\d+)")
_METADATA = "submission_metadata.yml"
_METADATA_LIMIT_BYTES = 64 << 20
_METADATA_DEPTH = 100


def _gradescope(path: Path, prefix: str, items: Mapping[str, bool]) -> Found | None:
    folders = {name for name in items if _GRADESCOPE.fullmatch(name)}
    if items.get(_METADATA) is not False:
        return None
    others = {name for name in items if name not in folders and (items[name] or is_work_name(name))}
    try:
        metadata = _metadata(path, prefix + _METADATA)
    except UsageError:
        if len(others) > len(folders):
            return None
        raise
    others -= metadata.keys()
    few = 1 if len(folders & metadata.keys()) > 1 else 2
    if others and len(folders) <= max(len(others), few):
        return None  # a class with such a file in it, which any student can write
    found: dict[str, HandIn] = {}
    for name in sorted({*metadata, *folders}, key=lambda each: (len(each), each)):
        hand_in = _gradescope_hand_in(path, prefix, name, metadata.get(name), name in folders or name in items)
        before = found.get(hand_in.id)
        if before is None:
            found[hand_in.id] = hand_in
        elif before.members != hand_in.members:
            told = f"{_METADATA} gives {', '.join(before.members)} the same id, {hand_in.id}"
            found[name] = replace(hand_in, id=escape(name), notes=(*hand_in.notes, told))
        else:
            newer, older = (before, hand_in) if _moment(before) > _moment(hand_in) else (hand_in, before)
            note = f"an older submission of the same person was left out: {_source(older)}"
            found[hand_in.id] = replace(newer, notes=(*newer.notes, note))
    beside = {name: folder for name, folder in items.items() if name != _METADATA}
    return with_strays(path, prefix, list(found.values()), beside, {*metadata, *folders})


def _gradescope_hand_in(path: Path, prefix: str, name: str, entry: object, there: bool) -> HandIn:
    parts = (Part(f"{prefix}{name}", "" if _GRADESCOPE.fullmatch(name) else escape(name)),) if there else ()
    if not isinstance(entry, dict):
        return HandIn(escape(name), path, parts, notes=(f"{_METADATA} does not say who handed it in",))
    people = [each for each in _listed(entry.get(":submitters")) if isinstance(each, dict)]
    known = [_text(each.get(":sid")) or _text(each.get(":email")) for each in people]
    return HandIn(
        known[0] if len(known) == 1 and known[0] else escape(name),
        path,
        parts,
        tuple(shown for each in people if (shown := _text(each.get(":name")) or _text(each.get(":email")))),
        submitted_at=_aware(entry.get(":created_at")),
        accounts=tuple(filter(None, map(_account, people))),
    )


def _account(person: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(filter(None, (_text(person.get(":sid")), _text(person.get(":email")))))


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
    return {str(key): entry for key, entry in document.items()}


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
    """A moment; also as Ruby on Rails writes its own, with the parts `utc`, `zone` and `time`."""
    if isinstance(value, dict):
        value = value.get("utc")
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return plausible(value if value.tzinfo else value.replace(tzinfo=UTC))


def _moment(hand_in: HandIn) -> datetime:
    return hand_in.submitted_at or datetime.min.replace(tzinfo=UTC)


def _source(hand_in: HandIn) -> str:
    return hand_in.parts[0].source if hand_in.parts else "one without files"
