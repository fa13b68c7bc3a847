"""Rows of narrow elements: what lies behind their last vector stays as it is."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

import thalweg as tf
from tests.kernels.schedules.test_schedule import Runner, heaviest
from thalweg.backends.native.llvm.jit import Jit
from thalweg.backends.native.llvm.target import Target
from thalweg.graph import Tensor
from thalweg.kernels.nests.nest import Nest
from thalweg.kernels.schedules.choose import complete, lanes_for
from thalweg.kernels.schedules.schedule import Schedule

NARROW = (tf.int8, tf.uint8, tf.int16, tf.uint16, tf.float16, tf.bfloat16, tf.bool, tf.int32)
HOST = Target.host()
TARGETS = [HOST]
if HOST.architecture == "x86_64":
    levels = {"x86-64": "sse2", "x86-64-v3": "avx2", "x86-64-v4": "avx512vl"}
    TARGETS += [HOST.restricted(level) for level, least in levels.items() if HOST.has(least)]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.cpu)
@pytest.mark.parametrize("source", [np.float32, np.int64])
def test_nothing_is_written_behind_a_row(target: Target, source: type) -> None:
    lanes = target.vector_bits // 8 // np.dtype(source).itemsize
    for length in (1, lanes - 1, lanes + 1, lanes + 2, 2 * lanes + 1):
        check_casts(target, source, length)


def check_casts(target: Target, source: type, length: int) -> None:
    """Rows of so many elements, in tiles of one vector and of two, with rows and without."""
    nest = casts_of(source, NARROW, length)
    run = Runner(nest, Jit(target))
    lanes = lanes_for(nest, run.library.machine)
    wanted = run(Schedule(nest.axes))
    *others, column = nest.axes
    for vectors, rows in itertools.product((1, 2), (1, 2)):
        tile = {column: vectors * lanes, **dict.fromkeys(others, rows)}
        made = complete(nest, Schedule(nest.axes, column, lanes, tile))
        for got, expected in zip(run(made), wanted, strict=True):
            np.testing.assert_array_equal(got, expected, err_msg=str(made))


def casts_of(source: type, kinds: Sequence[tf.DType], length: int) -> Nest:
    """A kernel that stores sums as every narrow type; its rows do not make one long one."""

    def build(x: Tensor, row: Tensor) -> list[Tensor]:
        total = tf.abs(x + row)
        return [tf.cast(total, kind) for kind in kinds]

    return heaviest(build, (3, length), (length,), dynamic=False, kind=source)
