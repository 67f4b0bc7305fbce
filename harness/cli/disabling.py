"""Define `--disable-plugin`, which every command takes, and the program itself."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

DISABLED = "harness.disabled_plugins"
"""Where a click context keeps the names."""


def _remember(ctx: click.Context, _param: click.Parameter, names: tuple[str, ...]) -> None:
    ctx.meta[DISABLED] = (*ctx.meta.get(DISABLED, ()), *names)


def _installed(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
    from importlib.metadata import entry_points

    return [CompletionItem(name) for name in sorted(entry_points(group="harness").names) if name.startswith(begun)]


def disable_option(*, hidden: bool) -> click.Option:
    """An option that commands are not handed: `harness.cli.options.installed_plugins` knows of it."""
    return click.Option(
        ["--disable-plugin"],
        multiple=True,
        metavar="NAME",
        expose_value=False,
        hidden=hidden,
        callback=_remember,
        shell_complete=_installed,
        help="Go on without this plugin, by the name of its entry point. Repeatable; every command takes it, too.",
    )
