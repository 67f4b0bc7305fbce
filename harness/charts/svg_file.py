"""Write a curve as an SVG file that stands alone: the site's chart with its title, key and style inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup
from wcwidth import wcswidth

from harness.charts.axis import axes_of, title_of
from harness.charts.curve_chart import Drawn, Size, drawn_series, lines_on_axes
from harness.charts.svg import colour, element, label, swatch
from harness.text import clean
from harness.values.curves import Curve

_SIZE = Size(width=640, height=410, left=64, right=22, top=58, bottom=56)
_KEY_LINE, _KEY_SWATCH, _KEY_GAP, _CHARACTER = 20, 42, 22, 6.6
"""Heights and widths of the key's parts, in SVG units."""
_LABEL_CHARACTERS = 60

# The light colours of the site's style sheet. No variables: programs that place pictures in documents know none.
_COLOURS = ("#1d4f7c", "#a8480f", "#17653a", "#7b3f98", "#8a6100", "#a1243f", "#17707a", "#4a4d55")
_STYLE = """
text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, sans-serif;
  font-size: 12.5px; fill: #585b63; unicode-bidi: plaintext; }
.title { font-size: 15px; font-weight: 600; fill: #1b1c20; }
.name { font-style: italic; }
.key { fill: #1b1c20; }
.paper { fill: #ffffff; }
.grid { fill: none; stroke: #dcd8cf; stroke-width: 1; }
.axis { fill: none; stroke: #585b63; stroke-width: 1; }
.line { fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linejoin: round; }
.mark { fill: #ffffff; stroke: currentColor; stroke-width: 1.6; }
.whisker { fill: none; stroke: currentColor; stroke-width: 1; opacity: .65; }
"""


def svg_file(curve: Curve) -> str:
    """The curve as an SVG document; the same curve gives the same bytes, whenever and wherever."""
    drawn = drawn_series(curve)
    places = list(_key_places(drawn))
    height = _SIZE.height + (places[-1][1] + _KEY_LINE if places else 0)
    whole = element(
        "svg",
        element("style", _STYLE + "".join(f".{colour(at)} {{ color: {each}; }}\n" for at, each in enumerate(_COLOURS))),
        element("rect", class_="paper", width=_SIZE.width, height=height),
        label(_SIZE.left, 26, clean(curve.name, _LABEL_CHARACTERS), class_="title"),
        *(lines_on_axes(drawn, *axes_of(curve), _SIZE) if drawn else [_nothing()]),
        *(_key_entry(each, x, _SIZE.height + y) for each, (x, y) in zip(drawn, places, strict=True)),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_SIZE.width} {height}",
        width=_SIZE.width,
        height=height,
        role="img",
        aria_label=title_of(curve),
    )
    return f"{whole}\n"


def _nothing() -> Markup:
    return label(_SIZE.width / 2, _SIZE.height / 2, "no point could be measured", anchor="middle")


def _key_places(drawn: Sequence[Drawn]) -> Iterator[tuple[float, float]]:
    """Where the entries stand: one after the other, in as many lines as it takes."""
    x, y = float(_SIZE.left), 0
    for each in drawn:
        width = _KEY_SWATCH + _CHARACTER * max(0, wcswidth(_name(each)))
        if x + width > _SIZE.width and x > _SIZE.left:
            x, y = float(_SIZE.left), y + _KEY_LINE
        yield round(x, 1), y
        x += width + _KEY_GAP


def _key_entry(drawn: Drawn, x: float, y: float) -> Markup:
    said = label(_KEY_SWATCH, 11, _name(drawn), class_="key")
    return element("g", swatch(drawn.style), said, transform=f"translate({x} {y})")


def _name(drawn: Drawn) -> str:
    return clean(drawn.series.label, _LABEL_CHARACTERS)
