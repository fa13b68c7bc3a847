"""Events as messages: the records of TensorBoard's files."""

from __future__ import annotations

from typing import ClassVar

from thalweg.protos.message import Message, double, int32, int64, message, raw, text
from thalweg.protos.summaries import Summary

__all__ = ["Event", "LogMessage", "SessionLog", "SourceMetadata", "TaggedRunMetadata"]


class SessionLog(Message):
    """That a session began, ended or saved a checkpoint."""

    STATUS_UNSPECIFIED: ClassVar[int] = 0
    START: ClassVar[int] = 1
    STOP: ClassVar[int] = 2
    CHECKPOINT: ClassVar[int] = 3

    status: int = int32(1)
    checkpoint_path: str = text(2)
    msg: str = text(3)


class LogMessage(Message):
    """A line of a log."""

    UNKNOWN: ClassVar[int] = 0
    DEBUGGING: ClassVar[int] = 10
    INFO: ClassVar[int] = 20
    WARN: ClassVar[int] = 30
    ERROR: ClassVar[int] = 40
    FATAL: ClassVar[int] = 50

    level: int = int32(1)
    message: str = text(2)


class TaggedRunMetadata(Message):
    """What a run measured, with a tag."""

    tag: str = text(1)
    run_metadata: bytes = raw(2)


class SourceMetadata(Message):
    """What wrote a file."""

    writer: str = text(1)


class Event(Message):
    """A record of an event file: when, at which step, and what."""

    wall_time: float = double(1)
    step: int = int64(2)
    file_version: str = text(3, oneof="what")
    graph_def: bytes = raw(4, oneof="what")
    summary: Summary = message(5, Summary, oneof="what")
    log_message: LogMessage = message(6, LogMessage, oneof="what")
    session_log: SessionLog = message(7, SessionLog, oneof="what")
    tagged_run_metadata: TaggedRunMetadata = message(8, TaggedRunMetadata, oneof="what")
    meta_graph_def: bytes = raw(9, oneof="what")
    source_metadata: SourceMetadata = message(10, SourceMetadata)
