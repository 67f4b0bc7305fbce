"""Refuse a graph: the one error of this room."""

from __future__ import annotations

from harness.errors import HarnessError


class GraphRefused(HarnessError):
    """A network cannot be traced, or its graph cannot be accepted: it stays unverified.

    Args:
        reason: in words a student understands; cut at 1000 letters, since a graph may hold any.
        operator: the operator it is about, if it is about one.
        node: its node.
        line: `file:line` in the network's source, where torch tells.
    """

    def __init__(
        self, reason: str, *, operator: str | None = None, node: str | None = None, line: str | None = None
    ) -> None:
        self.reason = reason[:1000]
        self.operator, self.node, self.line = operator, node, line
        where = ", ".join(each for each in (operator, line) if each)
        super().__init__(f"{where}: {self.reason}" if where else self.reason)
