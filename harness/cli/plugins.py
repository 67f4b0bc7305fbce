"""`harness plugins`: list what is installed, and where it comes from."""

from __future__ import annotations

import inspect

import click

KINDS = {
    "harness_evaluators": "evaluator",
    "harness_class_evaluators": "class evaluator",
    "harness_weight_formats": "weights format",
    "harness_datasets": "data set",
    "harness_writers": "writer",
    "harness_exporters": "exporter",
    "harness_executors": "executor",
}


@click.command()
def command() -> None:
    """List the installed plugins."""
    from harness.plugins import Plugins
    from harness.terminal.console import console, safe, simple_table

    installed = Plugins.installed()
    collections = (
        installed.evaluators,
        installed.class_evaluators,
        installed.weight_formats,
        installed.datasets,
        installed.writers,
        installed.exporters,
        installed.executors,
    )
    table = simple_table("kind", "name", "plugin", "what it does")
    for (hook, kind), objects in zip(KINDS.items(), collections, strict=True):
        for name, item in objects.items():
            origin = installed.origins[hook, name]
            module = installed.modules.get(origin) or origin
            table.add_row(kind, safe(name), safe(module), safe(_first_line(item)))
    console().print(table)


def _first_line(item: object) -> str:
    return (inspect.getdoc(type(item)) or "").partition("\n")[0]
