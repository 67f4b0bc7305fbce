"""Describe what results were made with."""

from __future__ import annotations

import platform
from importlib.metadata import version

from harness.values.results import Environment
from harness.version import __version__
from harness.vocabulary import DeviceName


def environment(sandbox_name: str, device: DeviceName = "cpu") -> Environment:
    """What a result depends on beside its inputs."""
    return Environment(
        harness=__version__,
        python=platform.python_version(),
        torch=version("torch"),
        torchinfo=version("torchinfo"),
        sandbox=sandbox_name,
        device=device,
    )
