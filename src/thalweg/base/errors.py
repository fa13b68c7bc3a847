"""The errors that Thalweg raises, each also the built-in or TensorFlow error that users catch."""

from __future__ import annotations


class ThalwegError(Exception):
    """The root of every error that Thalweg raises on purpose."""


class OpError(ThalwegError):
    """A failure tied to running a graph; the root of TensorFlow's `tf.errors`.

    Attributes:
        finished: of many steps in one call, how many were made before it; None for a single run.
        is_located: whether it names the operation and the user's line.
    """

    finished: int | None = None
    is_located: bool = False


class InvalidArgumentError(OpError, ValueError):
    """A value that an operation cannot take."""


class FailedPreconditionError(OpError):
    """The system is not in the state that the call needs."""


class NotFoundError(OpError, LookupError):
    """Something named (a file, an op, a tensor) does not exist."""


class AlreadyExistsError(OpError):
    """Something that was to be made, such as a file, exists already."""


class PermissionDeniedError(OpError):
    """The user may not do this, such as write a file."""


class OutOfRangeError(OpError):
    """Reading past the end of something, such as a queue or a data set."""


class DataLossError(OpError):
    """A file that is damaged, or in another format than it should be."""


class ResourceExhaustedError(OpError, MemoryError):
    """There is not enough memory."""


class AbortedError(OpError):
    """What was asked for began, and cannot be ended, since a task of the cluster began anew."""


class UnavailableError(OpError):
    """A task of the cluster cannot be reached, or does not answer."""


class UnimplementedError(OpError):
    """The operation is known but not supported here."""


class GraphError(ThalwegError, ValueError):
    """A graph used wrongly: elements of another graph, a finalised graph, a bad name."""


class ShapeError(GraphError):
    """Shapes that do not fit together, found when the graph is built."""


class DTypeError(ThalwegError, TypeError):
    """Element types that do not fit together, found when the graph is built."""


class GradientError(ThalwegError, LookupError):
    """A gradient was asked for through an operation that has none."""


class FeedError(InvalidArgumentError):
    """A feed is missing, or has the wrong shape or type."""


class FetchError(ThalwegError, ValueError):
    """A fetch that is not a tensor, operation or name of the session's graph."""


class SessionClosedError(ThalwegError, RuntimeError):
    """A closed session was asked to run."""


class DeviceError(InvalidArgumentError):
    """A device that does not exist here."""


class CompilerError(ThalwegError, RuntimeError):
    """The compiler produced code that LLVM rejects: a bug in Thalweg."""
