"""Messages to the user: TensorFlow 1's `tf.logging`, on the logger named "tensorflow".

The default verbosity is WARN. A line looks like `INFO:tensorflow:step 100`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:  # the standard library's is loaded when a message is written
    from logging import Logger

__all__ = [
    "DEBUG",
    "ERROR",
    "FATAL",
    "INFO",
    "WARN",
    "debug",
    "error",
    "fatal",
    "flush",
    "get_verbosity",
    "info",
    "log",
    "log_every_n",
    "log_first_n",
    "log_if",
    "set_verbosity",
    "vlog",
    "warn",
    "warning",
]

DEBUG: Final = 10
INFO: Final = 20
WARN: Final = 30
ERROR: Final = 40
FATAL: Final = 50

_counts: dict[tuple[int, str], int] = {}


@cache
def _logger() -> Logger:
    import logging

    logger = logging.getLogger("tensorflow")
    if logger.level == logging.NOTSET:
        logger.setLevel(WARN)
    if not logger.handlers and not logging.getLogger().handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(logging.BASIC_FORMAT))
        logger.addHandler(handler)
        logger.propagate = False
    return logger


def log(level: int, msg: Any, *args: Any, **kwargs: Any) -> None:
    """Write a message of a level, if the verbosity lets it through; `args` fill its `%` places."""
    _logger().log(level, msg, *args, **kwargs)


def debug(msg: Any, *args: Any, **kwargs: Any) -> None:
    """Write a message of the level DEBUG."""
    log(DEBUG, msg, *args, **kwargs)


def info(msg: Any, *args: Any, **kwargs: Any) -> None:
    """Write a message of the level INFO."""
    log(INFO, msg, *args, **kwargs)


def warn(msg: Any, *args: Any, **kwargs: Any) -> None:
    """Write a message of the level WARN."""
    log(WARN, msg, *args, **kwargs)


warning = warn


def error(msg: Any, *args: Any, **kwargs: Any) -> None:
    """Write a message of the level ERROR."""
    log(ERROR, msg, *args, **kwargs)


def fatal(msg: Any, *args: Any, **kwargs: Any) -> None:
    """Write a message of the level FATAL; the program goes on."""
    log(FATAL, msg, *args, **kwargs)


def vlog(level: int, msg: Any, *args: Any, **kwargs: Any) -> None:
    """The same as `log`."""
    log(level, msg, *args, **kwargs)


def log_if(level: int, msg: Any, condition: bool, *args: Any) -> None:
    """Write a message if the condition holds."""
    if condition:
        log(level, msg, *args)


def log_every_n(level: int, msg: Any, n: int, *args: Any) -> None:
    """Write a message at the first and then every n-th call with it."""
    log_if(level, msg, _calls_before(level, msg) % n == 0, *args)


def log_first_n(level: int, msg: Any, n: int, *args: Any) -> None:
    """Write a message at the first n calls with it."""
    log_if(level, msg, _calls_before(level, msg) < n, *args)


def _calls_before(level: int, msg: Any) -> int:
    """How often this was asked of the message before."""
    key = (level, str(msg))
    _counts[key] = _counts.get(key, -1) + 1
    return _counts[key]


def get_verbosity() -> int:
    """The lowest level that is written."""
    return _logger().getEffectiveLevel()


def set_verbosity(v: int) -> None:
    """Set the lowest level that is written, such as `tf.logging.INFO`."""
    _logger().setLevel(v)


def flush() -> None:
    """Write out what is buffered."""
    for handler in _logger().handlers:
        handler.flush()
