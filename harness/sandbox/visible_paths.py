"""List the files a worker may read: Python, packages, system libraries. Never data, labels or whole `/usr`."""

from __future__ import annotations

import importlib.util
import os
import stat
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from harness.version import plugin_packages

_SYSTEM = (
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
)
HIDDEN = "harness_fixtures"
"""The folder in site-packages where a wheel keeps references and labels."""


def visible_paths() -> list[Path]:
    """Existing paths, none inside another, that a worker needs to import torch and the harness; always in one order."""
    wanted = [Path(each) for each in _SYSTEM]
    wanted += _python() + _packages()
    existing = sorted({_absolute(path) for path in wanted if path.exists()}, key=lambda path: (len(path.parts), path))
    kept: list[Path] = []
    for path in existing:
        if not any(path.is_relative_to(parent) for parent in kept):
            kept.append(path)
    return kept


def hidden_paths() -> list[Path]:
    """Folders inside the visible ones that must be covered."""
    return [site / HIDDEN for site in _site_packages() if (site / HIDDEN).is_dir()]


def unreachable(paths: Iterable[Path]) -> Path | None:
    """The first folder on the way to `paths` that others than its owner may not enter."""
    for path in paths:
        for folder in reversed(path.resolve().parents):
            if not folder.stat().st_mode & stat.S_IXOTH:
                return folder
    return None


def _python() -> list[Path]:
    """The interpreter behind its links, a virtual environment's marker, and the standard library."""
    executable = Path(sys.executable)
    links = [executable]
    while links[-1].is_symlink():
        links.append(links[-1].parent / links[-1].readlink())
    libraries = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib")]
    library_folder = sysconfig.get_config_var("LIBDIR")
    shared = sorted(Path(library_folder).glob("libpython*")) if library_folder else []
    return [*links, Path(sys.prefix) / "pyvenv.cfg", *map(Path, libraries), *shared]


def _packages() -> list[Path]:
    """Site-packages, this package, and plugin modules that live elsewhere (editable installs)."""
    modules = ["harness", *sorted(plugin_packages())]
    return [*_site_packages(), *(path for name in modules if (path := _origin(name)))]


def _site_packages() -> list[Path]:
    names = ("site-packages", "dist-packages")
    return [Path(each) for each in sys.path if Path(each).name in names and Path(each).is_dir()]


def _origin(module: str) -> Path | None:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return None
    origin = Path(spec.origin)
    return origin.parent if origin.name == "__init__.py" else origin


def _absolute(path: Path) -> Path:
    """Absolute and without `..`, but with its links: the worker must find the names Python knows."""
    return Path(os.path.normpath(path.absolute()))
