"""Make pages that need nothing but themselves: style and script inside, and a policy that forbids all else.

Works from `file://` and from any server; nothing is ever requested. Templates escape by themselves and refuse unknown
names; texts of students pass the filter `clean` before.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from harness.report.view import STAND_IN, VERDICT_SYMBOLS, VERDICTS, network_line, outcome, standing
from harness.text import (
    cell_text,
    clean,
    clean_lines,
    figure_text,
    interval_text,
    points_text,
    score_text,
    shape_text,
    to_come_text,
    whole_text,
)
from harness.values.moments import moment_text
from harness.version import __version__

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE = Path(__file__).parent


def templates(*folders: Path) -> Environment:
    """Ours and those of further folders, with what pages of grading need."""
    # Not with the module: whoever writes no page need not wait for it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader([_HERE / "templates", *folders]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(
        clean=clean,
        clean_lines=clean_lines,
        figure=figure_text,
        interval=interval_text,
        shape=shape_text,
        network_line=network_line,
        outcome=outcome,
        standing=standing,
    )
    made.globals.update(
        whole_text=whole_text,
        to_come_text=to_come_text,
        cell_text=cell_text,
        points_text=points_text,
        score_text=score_text,
        moment_text=moment_text,
        verdict_symbols=VERDICT_SYMBOLS,
        verdicts=VERDICTS,
        stand_in=STAND_IN,
        version=__version__,
    )
    return made


def page(
    environment: Environment,
    template: str,
    *,
    script: str = "",
    sheet: Path | None = None,
    rules: str = "",
    **values: Any,
) -> str:
    """A whole page.

    Args:
        template: extends `base.html`.
        script: JavaScript, which no student had a part in.
        sheet: a style sheet to put behind the one of all pages.
        rules: further ones, which nobody else had a part in.
    """
    assert "</" not in script, "the HTML parser would end the script there"
    styles = style(_HERE / "style.css") + (style(sheet) if sheet else "") + rules
    shell = {"style": Markup(styles), "script": Markup(script), "policy": policy(styles, script)}  # noqa: S704 - ours
    return environment.get_template(template).render(**shell, **values)


def policy(styles: str, script: str) -> str:
    """The Content-Security-Policy: these very texts, and nothing from anywhere.

    Hashes, because `'self'` means nothing for files that a browser opens from a disk.
    """
    scripts = f"'sha256-{_digest(script)}'" if script else "'none'"
    return (
        f"default-src 'none'; style-src 'sha256-{_digest(styles)}'; script-src {scripts}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def style(sheet: Path) -> str:
    """A style sheet without comments and needless space: every page carries it."""
    text = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"\s*([{};,>])\s*", r"\1", re.sub(r"\s+", " ", text)).strip()


@cache
def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
