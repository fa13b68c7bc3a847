"""What a process has one of: a cache on disk, and a compiler."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import cache

from thalweg.backends.native.cache.disk_cache import DiskCache
from thalweg.backends.native.cache.encoding import EncodingError, decode, encode
from thalweg.backends.native.llvm import version
from thalweg.backends.native.llvm.jit import Jit
from thalweg.backends.native.llvm.target import Target, processor
from thalweg.base import settings


@cache
def shared_jit() -> Jit:
    """One compiler for the process: sessions share the code of equal kernels."""
    return Jit(_host(), shared_cache())


@cache
def shared_cache() -> DiskCache:
    """Plans, schedules and code that outlive the process."""
    return DiskCache(settings.cache_dir(), settings.cache_limit_bytes())


def _host() -> Target:
    """This machine, as LLVM has described it before: to ask LLVM again would mean to load it."""
    described_by = processor()
    if described_by is None:
        return Target.host()
    place = f"cpu_{hashlib.sha256(f'{version.of_llvm()} {described_by}'.encode()).hexdigest()}"
    found = shared_cache().get(place)
    if found is not None:
        with suppress(EncodingError):
            return decode(found, Target)
    host = Target.host()
    shared_cache().put(place, encode(host))
    return host
