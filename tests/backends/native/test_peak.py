"""The kernels that find the machine's limits compute what they are said to."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from thalweg.backends.native import peak
from thalweg.backends.native.llvm.jit import IrSource, Jit


@pytest.fixture(scope="module")
def jit() -> Jit:
    return Jit()


def aligned(values: np.ndarray[tuple[int], np.dtype[np.float32]]) -> tuple[int, object]:
    """An address that is a multiple of 64, and the array that keeps it alive."""
    memory = np.zeros(len(values) + 16, np.float32)
    address = peak._aligned(memory)
    start = (address - memory.ctypes.data) // 4
    memory[start : start + len(values)] = values
    return address, memory[start : start + len(values)]


def test_multiply_adds(jit: Jit) -> None:
    width = jit.target.vector_bits // 32
    (code,) = jit.compile([IrSource.of(peak.multiply_adds(width, jit.target.attributes))])
    address, out = aligned(np.zeros(peak.ACCUMULATORS * width, np.float32))
    ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)(code)(3, address)
    # a -> a / 2 + 1, three times, of 0, 1, 2 ...: exact in float32
    expected = (np.arange(peak.ACCUMULATORS) - 2) / 8 + 2
    np.testing.assert_array_equal(out, np.repeat(expected, width))


def test_update(jit: Jit) -> None:
    width = jit.target.vector_bits // 32
    (code,) = jit.compile([IrSource.of(peak.update(width, jit.target.attributes))])
    count = 3 * peak.VECTORS * width
    x, y = np.arange(count, dtype=np.float32), np.full(count, 7, np.float32)
    (x_address, x_memory), (y_address, y_memory) = aligned(x), aligned(y)
    pointer = ctypes.c_void_p
    kernel = ctypes.CFUNCTYPE(None, ctypes.c_int64, pointer, pointer)(code)
    kernel(count, x_address, y_address)
    np.testing.assert_array_equal(y_memory, y + x / 2)
    np.testing.assert_array_equal(x_memory, x)


def test_all_threads_work_and_are_waited_for() -> None:
    seen: list[int] = []
    assert peak.best_seconds(seen.append, threads=3, trials=2) >= 0.0
    assert sorted(seen) == [0, 0, 1, 1, 2, 2]


def test_what_a_machine_needs_at_least() -> None:
    machine = peak.Peak(2, 100.0, ((10, 50.0), (20, 20.0), (100, 5.0)))
    assert machine.seconds(200, 0) == 2.0
    assert machine.seconds(1, 10) == 0.2
    assert machine.seconds(1, 20) == 1.0
    assert machine.seconds(0, 1000) == 200.0


def test_the_best_figures_of_a_machine_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "SIZES", (1 << 10, 1 << 11))
    peak.machine_peak.cache_clear()
    first = peak.machine_peak(1)
    assert 1e8 < first.flops < 1e13
    assert all(1e7 < rate < 1e13 for _, rate in first.bandwidths)
    slow, fast = first.bandwidths[0][1] / 2, first.bandwidths[1][1] * 2
    monkeypatch.setattr(peak, "measure", lambda *_: (first.flops / 2, [slow, fast]))
    peak.machine_peak.cache_clear()
    again = peak.machine_peak(1)
    peak.machine_peak.cache_clear()
    assert again.flops == first.flops
    assert again.bandwidths == (first.bandwidths[0], (1 << 11, fast))
