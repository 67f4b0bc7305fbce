"""Read what is installed: the version of this distribution, and the packages that bring plugins."""

from functools import cache
from importlib.metadata import EntryPoint, entry_points, version

__version__ = version("compress-harness")


def package_named_by(entry_point: EntryPoint) -> str:
    """The top-level package or module of an entry point; empty where it names none."""
    # A value that is none has no `.module`, in a way that depends on Python's version.
    named = EntryPoint.pattern.match(entry_point.value)
    return named["module"].partition(".")[0] if named else ""


@cache
def plugin_packages() -> frozenset[str]:
    """Top-level modules and packages that entry points of the group `harness` name: what a sandbox shows of plugins."""
    return frozenset(filter(None, map(package_named_by, entry_points(group="harness"))))
