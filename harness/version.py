"""Read what is installed: the version of this distribution, and the packages that bring plugins."""

from importlib.metadata import entry_points, version

__version__ = version("compress-harness")


def plugin_packages() -> frozenset[str]:
    """Top-level modules and packages that entry points of the group `harness` name: what a sandbox shows of plugins."""
    return frozenset(each.module.partition(".")[0] for each in entry_points(group="harness"))
