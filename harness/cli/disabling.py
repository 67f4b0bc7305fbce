"""Define `--disable-plugin`, which every command takes, and the program itself."""

from __future__ import annotations

import click

DISABLED = "harness.disabled_plugins"
"""Where a click context keeps the names."""


def _remember(ctx: click.Context, _param: click.Parameter, names: tuple[str, ...]) -> None:
    ctx.meta[DISABLED] = (*ctx.meta.get(DISABLED, ()), *names)


def disable_option(*, hidden: bool) -> click.Option:
    """An option that commands are not handed: `harness.cli.options.installed_plugins` knows of it."""
    return click.Option(
        ["--disable-plugin"],
        multiple=True,
        metavar="NAME",
        expose_value=False,
        hidden=hidden,
        callback=_remember,
        help="Go on without this plugin, by the name of its entry point. Repeatable; every command takes it, too.",
    )
