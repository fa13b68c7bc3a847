"""Session creators: how a monitored session gets its session, at first and after a failure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from thalweg.graph import default_graph
from thalweg.session.session import Session
from thalweg.train.scaffold import Scaffold
from thalweg.train.session_manager import SessionManager


class SessionCreator(ABC):
    """Makes sessions that are ready to train."""

    @abstractmethod
    def create_session(self) -> Session:
        """A new session."""


class _Creator(SessionCreator):
    """What the chief and the workers share: a finished scaffold, and a manager."""

    def __init__(self, scaffold: Scaffold | None, master: str, config: Any) -> None:
        self._scaffold = scaffold or Scaffold()
        self._master, self._config = master, config
        self._made: SessionManager | None = None

    def _manager(self) -> SessionManager:
        """Finish the scaffold and the graph, once."""
        if self._made is None:
            scaffold = self._scaffold.finalize()
            self._made = SessionManager(
                local_init_op=scaffold.local_init_op,
                local_init_feed_dict=scaffold.local_init_feed_dict,
                ready_op=scaffold.ready_op,
                ready_for_local_init_op=scaffold.ready_for_local_init_op,
                graph=default_graph(),
            )
        return self._made


class ChiefSessionCreator(_Creator):
    """Restores the variables or, without a checkpoint, initialises them.

    Args:
        scaffold: what the program needs around its step; made if not given.
        master: the target of the session.
        config: a `ConfigProto`.
        checkpoint_dir: the folder of checkpoints, the latest of which is restored.
        checkpoint_filename_with_path: the prefix of a checkpoint, in its place.
    """

    def __init__(
        self,
        scaffold: Scaffold | None = None,
        master: str = "",
        config: Any = None,
        checkpoint_dir: str | None = None,
        checkpoint_filename_with_path: str | None = None,
    ) -> None:
        super().__init__(scaffold, master, config)
        self._folder, self._prefix = checkpoint_dir, checkpoint_filename_with_path

    def create_session(self) -> Session:
        """A new session."""
        manager = self._manager()
        return manager.prepare_session(
            self._master,
            saver=self._scaffold.saver,
            checkpoint_dir=self._folder,
            checkpoint_filename_with_path=self._prefix,
            config=self._config,
            init_op=self._scaffold.init_op,
            init_feed_dict=self._scaffold.init_feed_dict,
            init_fn=self._scaffold.init_fn,
        )


class WorkerSessionCreator(_Creator):
    """Waits until the chief has given the variables their values.

    Args:
        scaffold: what the program needs around its step; made if not given.
        master: the target of the session.
        config: a `ConfigProto`.
        max_wait_secs: how long to wait.
    """

    def __init__(
        self,
        scaffold: Scaffold | None = None,
        master: str = "",
        config: Any = None,
        max_wait_secs: float = 30 * 60,
    ) -> None:
        super().__init__(scaffold, master, config)
        self._seconds = max_wait_secs

    def create_session(self) -> Session:
        """A new session."""
        return self._manager().wait_for_session(
            self._master, config=self._config, max_wait_secs=self._seconds
        )
