"""What a process has one of: a cache on disk, and a compiler.

Loading this file loads llvmlite, so it is imported when the first kernel is needed, not before.
"""

from __future__ import annotations

from functools import cache

from thalweg.backends.llvm.jit import Jit
from thalweg.backends.llvm.target import Target
from thalweg.base import settings
from thalweg.runtime.disk_cache import DiskCache


@cache
def shared_jit() -> Jit:
    """One compiler for the process: sessions share the code of equal kernels."""
    return Jit(Target.host(), shared_cache())


@cache
def shared_cache() -> DiskCache:
    """Plans, schedules and code that outlive the process."""
    return DiskCache(settings.cache_dir(), settings.cache_limit_bytes())
