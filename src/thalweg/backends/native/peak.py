"""What the machine can do: its peak of multiply-adds, and how fast its caches and memory are.

The kernels are LLVM IR. All threads run one at the same time; the best of several trials counts.
"""

from __future__ import annotations

import ctypes
import hashlib
import struct
import threading
import time
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from thalweg.backends.native.llvm.jit import IrSource, Jit
from thalweg.backends.native.shared import shared_cache, shared_jit
from thalweg.base import settings
from thalweg.base.record import Record

ACCUMULATORS = 12  # enough for two units of four or five cycles; 16 registers hold them
VECTORS = 4  # of each array, in a pass of a memory kernel's loop
TURNS = 400_000  # of the multiply-adds' loop: a millisecond or so
SIZES = (1 << 18, 1 << 21, 1 << 26)  # bytes of a thread's arrays: in its L2, in L3, in memory
MOVED = 1 << 24  # bytes that a thread moves in a trial, at least
TRIALS = 10


class Peak(Record):
    """What so many threads can do together.

    Attributes:
        threads: how many.
        flops: floating-point operations a second, in registers, in float32.
        bandwidths: pairs of a size in bytes and bytes a second, of arrays of that size that are
            read and updated.
    """

    threads: int
    flops: float
    bandwidths: tuple[tuple[int, float], ...]

    def seconds(self, flops: float, bytes: float) -> float:
        """The least time in which so much can be computed, and so much moved.

        What fits a cache counts as if it came from there.
        """
        fitting = [rate for size, rate in self.bandwidths if bytes <= size]
        rate = fitting[0] if fitting else self.bandwidths[-1][1]
        return max(flops / self.flops, bytes / rate)


@cache
def machine_peak(threads: int) -> Peak:
    """This machine's, measured once a process, in half a second.

    A busy machine shows less than it can do, so the best figures are kept in the disk cache.
    """
    place, numbers = _place(threads), struct.Struct(f"<{1 + len(SIZES)}d")
    flops, rates = measure(shared_jit(), threads, SIZES, TURNS, MOVED, TRIALS)
    best = [flops, *rates]
    found = shared_cache().get(place)
    if found is not None and len(found) == numbers.size:
        best = list(map(max, best, numbers.unpack(found)))
    shared_cache().put(place, numbers.pack(*best))
    sizes = [size * threads for size in SIZES]
    return Peak(threads, best[0], tuple(zip(sizes, best[1:], strict=True)))


def measure(
    jit: Jit, threads: int, sizes: Sequence[int], turns: int, moved: int, trials: int
) -> tuple[float, list[float]]:
    """Floating-point operations a second, and bytes a second for arrays of each size.

    Args:
        jit: compiles the kernels.
        threads: how many run them at the same time.
        sizes: of a thread's arrays, in bytes.
        turns: of the loop of multiply-adds in a trial.
        moved: bytes that a thread moves in a trial, at least.
        trials: of which the best counts.
    """
    width = jit.target.vector_bits // 32
    flops = _flops(jit, width, threads, turns, trials)
    return flops, [_bandwidth(jit, width, threads, size, moved, trials) for size in sizes]


def best_seconds(work: Callable[[int], object], threads: int, trials: int) -> float:
    """The shortest time in which all threads do their work, each given its number."""
    return min(_together(work, threads) for _ in range(trials))


def multiply_adds(width: int, attributes: str) -> str:
    """IR of a loop of independent multiply-adds on vectors of float32.

    Args:
        width: of a vector.
        attributes: of the function.
    """
    vector, numbers = f"<{width} x float>", range(ACCUMULATORS)
    phis = "\n".join(
        f"  %a{n} = phi {vector} [splat (float {n}.0), %entry], [%b{n}, %loop]" for n in numbers
    )
    steps = "\n".join(
        f"  %b{n} = call {vector} @llvm.fma.v{width}f32({vector} %a{n}, {vector} splat "
        f"(float 0.5), {vector} splat (float 1.0))"
        for n in numbers
    )
    stores = "\n".join(
        f"  %p{n} = getelementptr {vector}, ptr %out, i64 {n}\n  store {vector} %b{n}, ptr %p{n}"
        for n in numbers
    )
    return f"""
declare {vector} @llvm.fma.v{width}f32({vector}, {vector}, {vector})
define void @kernel(i64 %n, ptr %out) {attributes} {{
entry:
  br label %loop
loop:
  %i = phi i64 [0, %entry], [%j, %loop]
{phis}
{steps}
  %j = add i64 %i, 1
  %more = icmp ult i64 %j, %n
  br i1 %more, label %loop, label %end
end:
{stores}
  ret void
}}
"""


def update(width: int, attributes: str) -> str:
    """IR of y += x / 2 on two arrays: two reads and a write, as in an optimiser's step."""
    vector = f"<{width} x float>"
    body = "\n".join(
        f"""
  %k{n} = add i64 %i, {n * width}
  %px{n} = getelementptr float, ptr %x, i64 %k{n}
  %py{n} = getelementptr float, ptr %y, i64 %k{n}
  %x{n} = load {vector}, ptr %px{n}, align 64
  %y{n} = load {vector}, ptr %py{n}, align 64
  %h{n} = fmul {vector} %x{n}, splat (float 0.5)
  %s{n} = fadd {vector} %y{n}, %h{n}
  store {vector} %s{n}, ptr %py{n}, align 64"""
        for n in range(VECTORS)
    )
    return f"""
define void @kernel(i64 %n, ptr %x, ptr %y) {attributes} {{
entry:
  br label %loop
loop:
  %i = phi i64 [0, %entry], [%j, %loop]
{body}
  %j = add i64 %i, {VECTORS * width}
  %more = icmp ult i64 %j, %n
  br i1 %more, label %loop, label %end
end:
  ret void
}}
"""


def _flops(jit: Jit, width: int, threads: int, turns: int, trials: int) -> float:
    (address,) = jit.compile([IrSource.of(multiply_adds(width, jit.target.attributes))])
    kernel = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)(address)
    outputs = [np.zeros(ACCUMULATORS * width + 16, np.float32) for _ in range(threads)]
    pointers = [_aligned(output) for output in outputs]
    seconds = best_seconds(lambda thread: kernel(turns, pointers[thread]), threads, trials)
    return 2 * ACCUMULATORS * width * turns * threads / seconds


def _bandwidth(jit: Jit, width: int, threads: int, size: int, moved: int, trials: int) -> float:
    """Bytes a second of all threads together, each on two arrays of together `size` bytes."""
    (address,) = jit.compile([IrSource.of(update(width, jit.target.attributes))])
    pointer = ctypes.c_void_p
    kernel = ctypes.CFUNCTYPE(None, ctypes.c_int64, pointer, pointer)(address)
    count = size // 8
    arrays = [[np.ones(count + 16, np.float32) for _ in "xy"] for _ in range(threads)]
    passes = max(1, moved // (3 * 4 * count))

    def work(thread: int) -> None:
        x, y = map(_aligned, arrays[thread])
        for _ in range(passes):
            kernel(count, x, y)

    return 3 * 4 * count * passes * threads / best_seconds(work, threads, trials)


def _aligned(array: np.ndarray[tuple[int], np.dtype[np.float32]]) -> int:
    """The first address in it that is a multiple of 64."""
    return -(-array.ctypes.data // 64) * 64


def _together(work: Callable[[int], object], threads: int) -> float:
    """Seconds from the first thread's start to the last one's end."""
    barrier, times = threading.Barrier(threads), list[tuple[float, float]]()

    def run(thread: int) -> None:
        barrier.wait()
        start = time.perf_counter()
        work(thread)
        times.append((start, time.perf_counter()))

    workers = [threading.Thread(target=run, args=(n,)) for n in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return max(end for _, end in times) - min(start for start, _ in times)


def _place(threads: int) -> str:
    """Where the machine's peak lies in the disk cache."""
    parts = "peak", settings.cpu_model(), shared_jit().target, threads, SIZES
    return f"peak_{hashlib.sha256(repr(parts).encode()).hexdigest()}"
