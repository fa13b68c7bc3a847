"""JAX as this backend uses it, without a lasting effect on how the user's own code uses it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import jax

from thalweg.base import settings

__all__ = ["compiling", "exact_types", "jax", "out_of_memory", "wait"]

WORTH_KEEPING = 0.1  # seconds from which on a compilation is kept on disk

_lock = threading.Lock()
_config: Any = jax.config


def exact_types() -> Any:
    """A context in which 64-bit types are what they say, as JAX has them only if it is asked to.

    It holds for this thread alone, so what the user does with JAX stays as it is.
    """
    return jax.enable_x64(True)


@contextmanager
def compiling(precision: str) -> Iterator[None]:
    """A context to trace and compile in.

    Args:
        precision: of products of float32 matrices: "highest" computes them in float32.
    """
    with exact_types(), jax.default_matmul_precision(precision), _cached():
        yield


@contextmanager
def _cached() -> Iterator[None]:
    """Have what is compiled kept on disk, unless the user has JAX keep it somewhere already."""
    folder = _cache_folder()
    if folder is None or _config.jax_compilation_cache_dir is not None:
        yield
        return
    with _lock:
        usual = _config.jax_persistent_cache_min_compile_time_secs
        _keep_in(folder, WORTH_KEEPING)
        try:
            yield
        finally:
            _keep_in(None, usual)


def _keep_in(folder: str | None, seconds: float) -> None:
    from jax.experimental.compilation_cache import compilation_cache

    _config.update("jax_persistent_cache_min_compile_time_secs", seconds)
    _config.update("jax_compilation_cache_dir", folder)
    compilation_cache.reset_cache()


@cache
def _cache_folder() -> str | None:
    """A folder for compiled programs that only this user can change; None if there is to be none.

    What is too much in it is removed, the oldest first.
    """
    parent, most = settings.cache_dir(), settings.cache_limit_bytes()
    if parent is None or not most:
        return None
    folder = os.path.join(parent, "xla")
    try:
        os.makedirs(folder, 0o700, exist_ok=True)
        found = os.stat(folder)
        if found.st_uid not in (0, os.getuid()) or found.st_mode & 0o022:
            return None
        _trim(folder, most)
    except OSError:
        return None
    return folder


def _trim(folder: str, most: int) -> None:
    """Remove the oldest files of a folder until the others have no more than so many bytes."""
    with os.scandir(folder) as entries:
        files = [(entry.stat(), entry.path) for entry in entries if entry.is_file()]
    files.sort(key=lambda file: file[0].st_mtime, reverse=True)
    for status, path in files:
        most -= status.st_size
        if most < 0:
            os.remove(path)


def wait(arrays: Any) -> None:
    """Wait until the arrays of some structure are computed."""
    jax.block_until_ready(arrays)  # type: ignore[no-untyped-call]


def out_of_memory(error: Exception) -> MemoryError | None:
    """The error for a device without the memory for a run, if that is what JAX reports."""
    if isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error):
        return MemoryError(str(error).partition("RESOURCE_EXHAUSTED: ")[2].partition("\n")[0])
    return None
