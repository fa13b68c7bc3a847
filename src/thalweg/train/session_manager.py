"""Session managers: sessions whose variables have their values, new or from a checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from thalweg.base.errors import FailedPreconditionError, OpError
from thalweg.graph import Graph, default_graph
from thalweg.platform import logging
from thalweg.saving.checkpoint_state import get_checkpoint_state, latest_checkpoint
from thalweg.session.session import Session


class SessionManager:
    """Makes sessions that are ready to train.

    Args:
        local_init_op: gives the local variables their initial values, once the others have theirs.
        ready_op: names the variables without a value; the session is ready when there are none.
        ready_for_local_init_op: the same, for `local_init_op` to be run.
        graph: the default graph if not given.
        recovery_wait_secs: how long to wait before asking again.
        local_init_run_options: a `RunOptions` for `local_init_op`.
        local_init_feed_dict: feeds for it.
    """

    def __init__(
        self,
        local_init_op: Any = None,
        ready_op: Any = None,
        ready_for_local_init_op: Any = None,
        graph: Graph | None = None,
        recovery_wait_secs: float = 30,
        local_init_run_options: Any = None,
        local_init_feed_dict: Mapping[Any, Any] | None = None,
    ) -> None:
        if ready_for_local_init_op is not None and local_init_op is None:
            raise ValueError(
                "If you pass a ready_for_local_init_op you must also pass a local_init_op "
            )
        self._local_init_op, self._ready_op = local_init_op, ready_op
        self._ready_for_local = ready_for_local_init_op
        self._graph = graph or default_graph()
        self._wait = recovery_wait_secs
        self._local_options, self._local_feeds = local_init_run_options, local_init_feed_dict

    def prepare_session(
        self,
        master: str,
        init_op: Any = None,
        saver: Any = None,
        checkpoint_dir: str | None = None,
        checkpoint_filename_with_path: str | None = None,
        wait_for_checkpoint: bool = False,
        max_wait_secs: float = 7200,
        config: Any = None,
        init_feed_dict: Mapping[Any, Any] | None = None,
        init_fn: Callable[[Any], Any] | None = None,
    ) -> Session:
        """A session whose variables were restored or, without a checkpoint, initialised.

        Args:
            master: the target of the session.
            init_op: gives the variables their initial values.
            saver: restores them.
            checkpoint_dir: the folder of checkpoints, the latest of which is restored.
            checkpoint_filename_with_path: the prefix of a checkpoint, in its place.
            wait_for_checkpoint: whether to wait for one.
            max_wait_secs: how long.
            config: a `ConfigProto`.
            init_feed_dict: feeds for `init_op`.
            init_fn: called with the session after `init_op`.

        Raises:
            RuntimeError: if there is nothing to initialise the variables with, or some have no
                value afterwards.
        """
        session, is_restored = self._restored(
            master,
            saver,
            checkpoint_dir,
            checkpoint_filename_with_path,
            wait_for_checkpoint,
            max_wait_secs,
            config,
        )
        if not is_restored:
            if init_op is None and not init_fn and self._local_init_op is None:
                raise RuntimeError(
                    "Model is not initialized and no init_op or init_fn or local_init_op was given"
                )
            if init_op is not None:
                session.run(init_op, feed_dict=init_feed_dict)
            if init_fn:
                init_fn(session)
        if trouble := self._initialise_locals(session):
            raise RuntimeError(
                f"Init operations did not make model ready for local_init.  Init op: {init_op}, "
                f"init fn: {init_fn}, error: {trouble}"
            )
        if trouble := self._lacking(session, self._ready_op):
            raise RuntimeError(
                f"Init operations did not make model ready.  Init op: {init_op}, "
                f"init fn: {init_fn}, local_init_op: {self._local_init_op}, error: {trouble}"
            )
        return session

    def recover_session(
        self,
        master: str,
        saver: Any = None,
        checkpoint_dir: str | None = None,
        checkpoint_filename_with_path: str | None = None,
        wait_for_checkpoint: bool = False,
        max_wait_secs: float = 7200,
        config: Any = None,
    ) -> tuple[Session, bool]:
        """A session whose variables were restored, if there is a checkpoint.

        The arguments are those of `prepare_session`.

        Returns:
            the session, and whether all its variables have a value.
        """
        session, is_restored = self._restored(
            master,
            saver,
            checkpoint_dir,
            checkpoint_filename_with_path,
            wait_for_checkpoint,
            max_wait_secs,
            config,
        )
        trouble = self._initialise_locals(session)
        if not is_restored:
            return session, False
        trouble = trouble or self._lacking(session, self._ready_op)
        if trouble:
            logging.info("Restored model is not ready: %s", trouble)
        return session, not trouble

    def wait_for_session(
        self, master: str, config: Any = None, max_wait_secs: float = float("inf")
    ) -> Session:
        """A session of a worker: waits until the chief has given the variables their values.

        Args:
            master: the target of the session.
            config: a `ConfigProto`.
            max_wait_secs: how long to wait.

        Raises:
            FailedPreconditionError: if they have no values by then. TensorFlow 1 has its
                `DeadlineExceededError` here.
        """
        end = time.monotonic() + max_wait_secs
        while True:
            session = Session(master, graph=self._graph, config=config)
            trouble = self._initialise_locals(session) or self._lacking(session, self._ready_op)
            if not trouble:
                return session
            session.close()
            logging.info("Waiting for model to be ready.  %s", trouble)
            left = end - time.monotonic()
            if left <= 0:
                raise FailedPreconditionError(
                    f"Session was not ready after waiting {max_wait_secs} secs: {trouble}"
                )
            time.sleep(min(self._wait, left))

    def _restored(
        self,
        master: str,
        saver: Any,
        folder: str | None,
        prefix: str | None,
        is_awaited: bool,
        seconds: float,
        config: Any,
    ) -> tuple[Session, bool]:
        """A session, and whether a checkpoint was restored."""
        if folder and prefix:
            raise ValueError(
                "Can not provide both checkpoint_dir and checkpoint_filename_with_path."
            )
        session = Session(master, graph=self._graph, config=config)
        if not saver or not (folder or prefix):
            return session, False
        path = prefix or self._latest(str(folder), is_awaited, seconds)
        if path is None:
            return session, False
        saver.restore(session, path)
        state = get_checkpoint_state(folder) if folder else None
        if state is not None:
            saver.recover_last_checkpoints(state.all_model_checkpoint_paths)
        return session, True

    def _latest(self, folder: str, is_awaited: bool, seconds: float) -> str | None:
        end = time.monotonic() + seconds
        while True:
            path = latest_checkpoint(folder)
            left = end - time.monotonic()
            if path is not None or not is_awaited or left <= 0:
                return path
            logging.info("Waiting for checkpoint to be available.")
            time.sleep(min(self._wait, left))

    def _initialise_locals(self, session: Session) -> str:
        """Run `local_init_op` if it may be run: what is lacking, or an empty text."""
        if self._local_init_op is None:
            return ""
        trouble = self._lacking(session, self._ready_for_local)
        if not trouble:
            session.run(
                self._local_init_op, feed_dict=self._local_feeds, options=self._local_options
            )
        return trouble

    @staticmethod
    def _lacking(session: Session, ready_op: Any) -> str:
        """What the session lacks to be ready, or an empty text."""
        if ready_op is None:
            return ""
        try:
            missing = session.run(ready_op)
        except FailedPreconditionError as error:
            return str(error)
        except OpError:
            session.close()
            raise
        if missing is None or len(missing) == 0:
            return ""
        return "Variables not initialized: " + ", ".join(name.decode() for name in missing)
