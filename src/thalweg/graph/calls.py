"""What the public functions say of arguments that they cannot take.

    conv2d: the filter must have rank 4; it is [4, 2]
      at train.py:12: y = tf.nn.conv2d(x, W, [1, 1, 1, 1], "SAME")
      filter was made at train.py:9: W = tf.Variable(tf.zeros([4, 2]))

Whatever goes wrong inside, an error has the function's name and the user's line.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast

from thalweg.base.errors import DTypeError, InvalidArgumentError, ThalwegError
from thalweg.base.record import Record
from thalweg.base.source import caller, is_ours
from thalweg.graph.graph import Graph
from thalweg.graph.node import Operation, Tensor

P = ParamSpec("P")
R = TypeVar("R")

LINE = "\n  at "  # what an error that has a line holds
# That work for us.
LIBRARIES = ("numpy", "ml_dtypes", "contextlib", "functools", "posixpath", "genericpath")


def explained(function: Callable[P, R], name: str = "") -> Callable[P, R]:
    """The function, whose errors have its name and the user's line.

    Errors of Python itself, such as an AttributeError for an argument that is no tensor, become an
    `InvalidArgumentError` or, for a TypeError, a `DTypeError`. What the user's own code raises, in
    a callback, stays as it is.

    Args:
        function: what to call; it may be one that makes a context.
        name: as users know it; its own by default.
    """
    what = name or getattr(function, "__name__", "")

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        with _Explaining(what, function, args, kwargs) as explaining:
            made = function(*args, **kwargs)
        is_block = isinstance(made, contextlib._GeneratorContextManager)
        return cast("R", _ExplainingContext(made, explaining)) if is_block else made

    return call


def explain_errors(namespace: dict[str, Any], names: Iterable[str]) -> None:
    """Let the public functions of a module, and its classes when called, explain their errors.

    Args:
        namespace: the module's.
        names: the public ones.
    """
    for name in names:
        item = namespace[name]
        if isinstance(item, type):
            if "__init__" in vars(item) and not issubclass(item, _LEFT_ALONE):
                setattr(item, "__init__", explained(item.__init__, name))  # noqa: B010
        elif callable(item):
            namespace[name] = _replaced(item)


def _replaced(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function that stands for one, under all its names."""
    if function in _explained.values():
        return function
    if function not in _explained:
        own = getattr(function, "__name__", "")
        made = _explained[function] = explained(function, own.removesuffix("_"))
        home = vars(sys.modules[function.__module__])
        if home.get(own) is function:
            home[own] = made  # where it is found again when it is unpickled
    return _explained[function]


_explained: dict[Callable[..., Any], Callable[..., Any]] = {}
_LEFT_ALONE = (Operation, Tensor, Graph, Record)  # made within, and often


class _Explaining:
    """A block in which a public function does its work."""

    __slots__ = ("_args", "_function", "_kwargs", "_what")

    def __init__(
        self,
        what: str,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self._what, self._function, self._args, self._kwargs = what, function, args, kwargs

    def __enter__(self) -> _Explaining:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, Exception):
            told = _told(error, self._what, self._function, self._args, self._kwargs)
            if told is not error:
                raise told from (None if isinstance(error, ThalwegError) else error)


class _ExplainingContext(AbstractContextManager[Any]):
    """A context that may only find out as it is entered what it was given."""

    def __init__(self, block: Any, explaining: _Explaining) -> None:
        self._block, self._explaining = block, explaining

    def __enter__(self) -> Any:
        with self._explaining:
            return self._block.__enter__()

    def __exit__(self, *error: Any) -> Any:
        return self._block.__exit__(*error)


def _told(
    error: Exception,
    what: str,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Exception:
    """The error with the function's name and the user's line, if it has none."""
    known = isinstance(error, ThalwegError)
    if LINE in str(error) or not (known or _is_plain(error)) or not _comes_from_us(error):
        return error
    text = str(error) or type(error).__name__
    if not known and not isinstance(error, TypeError | ValueError):
        text = f"cannot take these arguments ({type(error).__name__}: {text})"
    named = text if text.startswith(f"{what}:") else f"{what}: {text}"
    lines = [named, f"  at {caller()}", *_origins(function, args, kwargs)]
    return _kind(error)("\n".join(lines))


def _is_plain(error: Exception) -> bool:
    """Whether Python raises such errors for what it cannot compute."""
    return isinstance(
        error,
        TypeError
        | ValueError
        | LookupError
        | ArithmeticError
        | AttributeError
        | AssertionError
        | RecursionError
        | MemoryError,
    )


def _kind(error: Exception) -> type[Exception]:
    if isinstance(error, ThalwegError):
        return type(error)
    return DTypeError if isinstance(error, TypeError) else InvalidArgumentError


def _comes_from_us(error: Exception) -> bool:
    """Whether an error was raised without any of the user's code being called."""
    return all(map(_is_inside, _frames(error.__traceback__)))


def _frames(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _is_inside(traceback: TracebackType) -> bool:
    frame = traceback.tb_frame
    module = str(frame.f_globals.get("__name__", ""))
    return is_ours(frame.f_code.co_filename) or module.split(".")[0] in LIBRARIES


def _origins(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[str]:
    """Where the tensors among the arguments were made, if on another line."""
    found: dict[str, Any] = {}
    with contextlib.suppress(TypeError):
        found = inspect.signature(function).bind(*args, **kwargs).arguments
    here = str(caller())
    made = [(name, getattr(value, "op", None)) for name, value in found.items()]
    return [
        f"  {name} was made at {op.source}"
        for name, op in made
        if isinstance(op, Operation) and str(op.source) != here
    ]
