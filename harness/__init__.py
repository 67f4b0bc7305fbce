"""Grade compressed neural networks: load them safely, verify limits and losses, measure, rank."""

from __future__ import annotations

from harness.version import __version__

__all__ = ["__version__", "check"]


def __getattr__(name: str) -> object:
    """`harness.check`, imported when first asked for: it needs torch, which `harness --help` must not wait for."""
    if name == "check":
        from harness.notebook import check

        return check
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
