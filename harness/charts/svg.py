"""Write SVG by hand: escaped elements, and lines that can be told apart without colour.

A page's security policy forbids style attributes, so everything is a presentation attribute or a class of the style
sheet; colours are the classes `k0` … `k7`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from markupsafe import Markup, escape

COLOURS = 8
_DASHES = ("", "7 3", "2 3", "9 3 2 3")
_MARKERS = (
    "m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0",  # circle
    "m-3-3h6v6h-6z",  # square
    "m0-4l4 7h-8z",  # triangle
    "m0-4.5l4 4.5l-4 4.5l-4-4.5z",  # diamond
    "m-4 0h8m-4-4v8",  # plus
    "m-3-3l6 6m0-6l-6 6",  # cross
    "m0 4l-4-7h8z",  # triangle upside down
)
Place = tuple[float, float]


def element(name: str, *inside: str | Markup, **attributes: str | float | None) -> Markup:
    """An element; an underscore in an attribute's name stands for a dash, or ends one that Python reserves."""
    said = "".join(
        [
            f'{_attribute(key)}="{escape(value) if isinstance(value, str) else value}"'
            for key, value in attributes.items()
            if value is not None
        ]
    )
    # Joining plain strings is much faster than joining Markup, which would look at each again.
    content = "".join([each if isinstance(each, Markup) else escape(each) for each in inside])
    return Markup(f"<{name}{said}>{content}</{name}>")  # noqa: S704 - values and content are escaped, names are ours


@cache
def _attribute(key: str) -> str:
    return f" {key.rstrip('_').replace('_', '-')}"


def label(x: float, y: float, text: str, *, anchor: str = "start", class_: str = "") -> Markup:
    """Text at a place; `anchor` is SVG's start, middle or end."""
    # Written out because half of all elements are labels, and ten thousand pages are full of them.
    turned = "" if anchor == "start" else f' text-anchor="{anchor}"'
    named = f' class="{class_}"' if class_ else ""
    return Markup(f'<text x="{x}" y="{y}"{turned}{named}>{escape(text)}</text>')  # noqa: S704 - only the text is anyone's


def line(places: Sequence[Place], style: int) -> Markup:
    """A line through places and a mark on each, in the style of that number."""
    dash = _DASHES[style % len(_DASHES)]
    written, shape = [f"{x} {y}" for x, y in places], mark(style)
    path = element("path", d=f"M{'L'.join(written)}", class_="line", stroke_dasharray=dash or None)
    return path + element("path", d="".join([f"M{each}{shape}" for each in written]), class_="mark")


def colour(style: int) -> str:
    """The class of that style's colour."""
    return f"k{style % COLOURS}"


def mark(style: int) -> str:
    """The path of one mark, relative to its middle."""
    return _MARKERS[style % len(_MARKERS)]


@cache
def swatch(style: int) -> Markup:
    """A short piece of a line with its mark, for keys."""
    parts = (
        element("path", d="M2 7H32", class_="line", stroke_dasharray=_DASHES[style % len(_DASHES)] or None),
        element("path", d=f"M17 7{mark(style)}", class_="mark"),
    )
    return element(
        "svg",
        *parts,
        class_=f"swatch {colour(style)}",
        viewBox="0 0 34 14",
        width=34,
        height=14,
        aria_hidden="true",
    )


def whiskers(ends: Iterable[tuple[float, float, float]]) -> Markup:
    """Vertical lines (x, from, to), as one path."""
    return element("path", d="".join([f"M{x} {low}V{high}" for x, low, high in ends]), class_="whisker")
