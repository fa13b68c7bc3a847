"""Plans that outlive the process: a program that was planned before starts without planning.

A plan is found by what it computes (`passes.signature`), for the extents of its feeds that may
vary by a replay of its trace. It is used only if the library lets its kernels run as they did.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from functools import cache

import numpy as np

from thalweg.backends.native.cache.encoding import EncodingError, decode, encode
from thalweg.backends.native.library import Library
from thalweg.backends.native.llvm.jit import ObjectCache
from thalweg.base.dims import Given, Sizes, Trace
from thalweg.base.record import Record
from thalweg.base.source import PACKAGE
from thalweg.kernels.kernel import Kernels
from thalweg.passes.plan import Interface


class Planned(Record):
    """A plan made into kernels.

    Attributes:
        kernels: with their schedules.
        cycles: of each kernel, for a point of its loops.
        trace: of the plan, closed.
        interface: of the plan.
    """

    kernels: Kernels
    cycles: tuple[float, ...]
    trace: Trace
    interface: Interface


class Plans:
    """Plans by what they compute.

    Args:
        library: chooses the schedules of kernels.
        cache: where they are kept.
    """

    def __init__(self, library: Library, cache: ObjectCache) -> None:
        self._library = library
        self._cache = cache

    def put(self, signature: str, planned: Planned) -> None:
        """Remember a plan."""
        try:
            data = encode(planned)
        except EncodingError:
            return  # of what cannot be kept: the next process plans anew
        self._cache.put(self._key(signature), data)

    def get(self, signature: str, given: Sequence[Given]) -> tuple[Planned, Sizes] | None:
        """A plan that holds for what it is given, and its own numbers then, if there is one."""
        found = self._cache.get(self._key(signature))
        if found is None:
            return None
        try:
            planned = decode(found, Planned)
            sizes = planned.trace.replay(given)
            if sizes is None or not self._library.agrees(planned.kernels.nests):
                return None
        except (LookupError, ValueError):  # damaged, or parts that do not belong together
            return None
        return planned, sizes

    def _key(self, signature: str) -> str:
        text = f"{_stamp()} {self._library.machine} {signature}"
        return f"plan_{hashlib.sha256(text.encode()).hexdigest()}"


@cache
def _stamp() -> str:
    """What plans follow from beside the graph: those of other code must not be used.

    That the code is the same is told as Python tells it of its bytecode: by the sources' sizes and
    times, which takes a tenth of what reading them would.
    """
    digest = hashlib.sha256(f"{sys.version} {np.__version__}".encode())
    for folder, folders, files in os.walk(PACKAGE):
        folders.sort()
        for name in sorted(files):
            if name.endswith(".py"):
                stat = os.stat(os.path.join(folder, name))
                digest.update(f"{name} {stat.st_size} {stat.st_mtime_ns} ".encode())
    return digest.hexdigest()
