"""A hook of monitored sessions that lets all processes begin with the same variables."""

from __future__ import annotations

from typing import Any

from thalweg.cluster.collective.functions import broadcast_global_variables
from thalweg.graph import Operation
from thalweg.train.session_run_hook import SessionRunHook

__all__ = ["BroadcastGlobalVariablesHook"]


class BroadcastGlobalVariablesHook(SessionRunHook):
    """Sets all variables to their values on one rank, when a session has been made.

    Args:
        root_rank: whose values.
        device: of no effect; kept for Horovod's programs.
    """

    def __init__(self, root_rank: int, device: str = "") -> None:
        self._root = root_rank
        self._broadcast: Operation | None = None

    def begin(self) -> None:
        """See `SessionRunHook`."""
        self._broadcast = broadcast_global_variables(self._root)

    def after_create_session(self, session: Any, coord: Any) -> None:
        """See `SessionRunHook`."""
        session.run(self._broadcast)
