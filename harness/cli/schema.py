"""`harness schema`: print the JSON schema of assignment files, for editors."""

from __future__ import annotations

import json

import click


@click.command()
def command() -> None:
    """Print the JSON schema of assignment files, with the options of the installed evaluators."""
    from harness.assignment.schema import json_schema
    from harness.cli.options import installed_plugins

    click.echo(json.dumps(json_schema(installed_plugins()), indent=2))
