"""What the machine can do: its peak of multiply-adds, and how fast memory is."""

from __future__ import annotations

from benchmarks.results import Limits
from thalweg.backends.native import peak
from thalweg.backends.native.llvm.jit import Jit

TURNS = 2_000_000  # of the multiply-adds' loop: some milliseconds, so that one is not disturbed
TRIALS = 30
MOVED = 1 << 27  # bytes that a thread moves in a trial, at least
SIZES = (1 << 19, 1 << 24, 1 << 29)  # bytes of a thread's arrays: in its L2, in L3, in memory


def measure(threads: int) -> Limits:
    """This machine's limits with so many threads."""
    flops, rates = peak.measure(Jit(), threads, SIZES, TURNS, MOVED, TRIALS)
    return Limits(flops, dict(zip([size * threads for size in SIZES], rates, strict=True)))
