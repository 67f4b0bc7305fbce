"""Settings of the documentation's site, which Sphinx reads; `tox run -e site` makes it.

The pages are plain Markdown that reads as well without Sphinx. The navigation is what `index.md` lists: each of its
sections becomes a part of it.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = _PROJECT["name"]
release = version = _PROJECT["version"]
extensions = ["myst_parser"]
myst_heading_anchors = 6  # links to headings, as on GitHub
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = f"{project} {release}"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False


def add_navigation(_app: Sphinx, page: str, source: list[str]) -> None:
    """Turn the lists of whole pages in `index.md` into tables of contents; links to parts of pages stay links."""
    if page != "index":
        return
    for section in re.split(r"^## ", source[0], flags=re.MULTILINE)[1:]:
        title, _, listed = section.partition("\n")
        pages = re.findall(r"^- \[.+?\]\(([\w/-]+)\.md\)", listed, flags=re.MULTILINE)
        source[0] += "\n".join(["\n```{toctree}", f":caption: {title}", ":hidden:", "", *pages, "```", ""])


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", add_navigation)
