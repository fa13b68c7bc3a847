"""Writers of event files: what a program hands its summaries to."""

from __future__ import annotations

import operator
import os
import threading
import time
import warnings
from types import TracebackType
from typing import Any, ClassVar

from thalweg.base.errors import DataLossError, InvalidArgumentError
from thalweg.graph import Graph
from thalweg.protos.events import Event, SessionLog, TaggedRunMetadata
from thalweg.protos.graphs import MetaGraphDef
from thalweg.protos.message import Message
from thalweg.protos.summaries import Summary
from thalweg.protos.wire import delimited, fields
from thalweg.summary.event_file import EventFile
from thalweg.summary.graph_def import graph_def as drawn
from thalweg.summary.run_metadata import run_metadata_proto

__all__ = ["FileWriter", "FileWriterCache"]

PathLike = str | os.PathLike[str]
SUMMARY = 5  # the number of an event's field


class FileWriter:
    """Writes summaries, graphs and what runs measured to a new event file, for TensorBoard.

        writer = tf.summary.FileWriter("logs/train", session.graph)
        writer.add_summary(session.run(merged), step)

    An event is with the operating system when the method that adds it returns, so a process that is
    killed afterwards does not lose it. Threads may share a writer.

    Args:
        logdir: the folder, which is made if there is none. Each is a run of its own to TensorBoard.
        graph: is added, if given.
        max_queue: accepted for TensorFlow 1: there is no queue.
        flush_secs: accepted for TensorFlow 1: nothing waits to be flushed.
        graph_def: the older form of `graph`.
        filename_suffix: of the file's name.
        session: accepted for TensorFlow 1.
    """

    def __init__(
        self,
        logdir: PathLike,
        graph: Any = None,
        max_queue: int = 10,
        flush_secs: float = 120,
        graph_def: Any = None,
        filename_suffix: str | None = None,
        session: Any = None,
    ) -> None:
        self._logdir, self._suffix = os.fspath(logdir), filename_suffix or ""
        self._lock = threading.RLock()
        self._file = EventFile(self._logdir, self._suffix)
        self._metadata_tags: set[str] = set()
        if graph is not None or graph_def is not None:
            self.add_graph(graph, graph_def=graph_def)

    def get_logdir(self) -> str:
        """The folder."""
        return self._logdir

    # -- adding

    def add_summary(self, summary: Any, global_step: Any = None) -> None:
        """Add a summary.

        Args:
            summary: what a session computed of a summary operation, or a `tf.Summary`.
            global_step: the number of the step that it belongs to.

        Raises:
            InvalidArgumentError: if it is no summary, or the step no number.
        """
        data = _serialised(summary, Summary)
        self._add(Event(step=_step(global_step)), summary=data)

    def add_graph(self, graph: Any, global_step: Any = None, graph_def: Any = None) -> None:
        """Add a graph.

        Args:
            graph: a `tf.Graph`.
            global_step: the number of a step.
            graph_def: in its place, a `tf.GraphDef`.

        Raises:
            InvalidArgumentError: if it is no graph.
        """
        given = graph if graph is not None else graph_def
        data = drawn(_graph(given)).SerializeToString()
        self.add_event(Event(step=_step(global_step), graph_def=data))

    def add_meta_graph(self, meta_graph_def: Any, global_step: Any = None) -> None:
        """Add the graph of a meta graph, or of a `tf.Graph` or `tf.GraphDef`.

        Raises:
            InvalidArgumentError: if it is none of these.
        """
        graph = _graph(getattr(meta_graph_def, "graph_def", meta_graph_def))
        data = MetaGraphDef(graph_def=drawn(graph)).SerializeToString()
        self.add_event(Event(step=_step(global_step), meta_graph_def=data))

    def add_run_metadata(self, run_metadata: Any, tag: str, global_step: Any = None) -> None:
        """Add what a run has measured: TensorBoard's graph page shows it by operation.

        Args:
            run_metadata: a `tf.RunMetadata` that `Session.run` has filled.
            tag: a name for it, such as "step099".
            global_step: the number of the step.

        Raises:
            ValueError: if the tag was used before.
        """
        if tag in self._metadata_tags:
            raise InvalidArgumentError(f"add_run_metadata: the tag {tag!r} was used before")
        self._metadata_tags.add(tag)
        data = run_metadata_proto(run_metadata).SerializeToString()
        tagged = TaggedRunMetadata(tag=tag, run_metadata=data)
        self.add_event(Event(step=_step(global_step), tagged_run_metadata=tagged))

    def add_session_log(self, session_log: SessionLog, global_step: Any = None) -> None:
        """Add that a session began, ended or saved a checkpoint.

        A `SessionLog.START` tells TensorBoard that a run was taken up again at a step: what an
        earlier file has of later steps is not shown.
        """
        self.add_event(Event(step=_step(global_step), session_log=session_log))

    def add_event(self, event: Event) -> None:
        """Add an event; its time is set to the present if it has none."""
        if not isinstance(event, Event):
            raise InvalidArgumentError(f"add_event takes a tf.Event, not {event!r}")
        self._add(event)

    def _add(self, event: Event, summary: bytes | None = None) -> None:
        if self._file.closed:
            warnings.warn(
                f"the FileWriter of {self._logdir!r} is closed: nothing is written until reopen()",
                stacklevel=3,
            )
            return
        event.wall_time = event.wall_time or time.time()
        data = event.SerializeToString()
        if summary is not None:
            data += delimited(SUMMARY, summary)
        with self._lock:
            self._file.append(data)

    # -- life

    def flush(self) -> None:
        """Wait until all is on the disk, so that not even a power failure loses it."""
        if not self._file.closed:
            self._file.sync()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def reopen(self) -> None:
        """Go on after `close`, in a new file of the same folder."""
        with self._lock:
            if self._file.closed:
                self._file = EventFile(self._logdir, self._suffix)

    def __enter__(self) -> FileWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class FileWriterCache:
    """One writer for each folder."""

    _writers: ClassVar[dict[str, FileWriter]] = {}
    _lock: ClassVar[Any] = threading.RLock()

    @classmethod
    def get(cls, logdir: PathLike) -> FileWriter:
        """The writer of a folder, which is made at the first call."""
        key = os.fspath(logdir)
        with cls._lock:
            if key not in cls._writers:
                cls._writers[key] = FileWriter(key)
            return cls._writers[key]

    @classmethod
    def clear(cls) -> None:
        """Close all writers, and forget them."""
        with cls._lock:
            for writer in cls._writers.values():
                writer.close()
            cls._writers.clear()


def _step(global_step: Any) -> int:
    """The number of a step.

    Raises:
        InvalidArgumentError: if it is none.
    """
    if global_step is None:
        return 0
    try:
        return operator.index(global_step.item() if hasattr(global_step, "item") else global_step)
    except (TypeError, ValueError):
        raise InvalidArgumentError(
            f"global_step must be a whole number, not {global_step!r}: run a tensor first"
        ) from None


def _serialised(value: Any, kind: type[Message]) -> bytes:
    """A message as bytes, or bytes that may be one."""
    if isinstance(value, kind):
        return value.SerializeToString()
    data = value.item() if hasattr(value, "item") else value
    if not isinstance(data, bytes):
        raise InvalidArgumentError(
            f"takes a tf.{kind.__name__}, or what a session computed of one, not {value!r}"
        )
    try:
        for _ in fields(memoryview(data)):
            pass
    except DataLossError as error:
        raise InvalidArgumentError(f"these bytes are no tf.{kind.__name__}: {error}") from None
    return data


def _graph(given: Any) -> Graph:
    """The graph that a `tf.Graph` or a `tf.GraphDef` is.

    Raises:
        InvalidArgumentError: if it is neither.
    """
    from thalweg.saving.graph_def import GraphDef
    from thalweg.saving.import_graph import import_graph_def

    if isinstance(given, Graph):
        return given
    if not isinstance(given, GraphDef):
        raise InvalidArgumentError(f"takes a tf.Graph or a tf.GraphDef, not {given!r}")
    with Graph().as_default() as graph:
        import_graph_def(given, name="")
    return graph
