"""Grade compressed neural networks: load them safely, verify limits and losses, measure, rank."""

from __future__ import annotations

from importlib.metadata import version as _version

__version__ = _version("compress-harness")
