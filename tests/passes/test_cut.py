"""Plans in pieces, and loops whose bodies compute the next condition."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import thalweg as tf
from tests.backends.native.bodies import Compared, loop
from thalweg.base.dims import Trace
from thalweg.graph import Tensor
from thalweg.ops.control.loop import Loop
from thalweg.passes.cut import cut
from thalweg.passes.rotate import rotate


def build(x: Tensor, y: Tensor) -> Sequence[Tensor]:
    """Two loops, with something before, between and after them."""
    scale = tf.constant(np.arange(3, dtype=np.float32))
    before = tf.exp(y, name="before")
    total, rows = loop(lambda t, x, s: [t + x * s, t], [before], [x], [scale])
    between = tf.tanh(total, name="between")
    final = loop(
        lambda i, t: [i + 1, t * 2.0], [tf.constant(0), between], (), (), lambda i, t: i < 3
    )
    return [final[1] + before, rows]


def test_pieces_lie_between_operations_with_bodies() -> None:
    plan = Compared(build, [np.ones((2, 3), np.float32), np.ones(3, np.float32)]).plan
    made = cut(plan, {}, set(plan.feeds))
    assert [holder.op.type for holder in made.holders] == ["Loop", "Loop"]
    takes = [[tensor.op.name for tensor in piece.takes] for piece in made.pieces]
    gives = [[(one.tensor.op.name, one.fetch) for one in piece.gives] for piece in made.pieces]
    assert takes == [["Placeholder_1"], ["Loop"], ["Loop_1", "before"]]
    assert gives == [[("before", None)], [("Const_1", None), ("between", None)], [("add", 0)]]
    first, second = made.holders
    assert first.written == (None, 1)  # the loop itself writes what it collects
    assert [source is not None for source in first.sources] == [False, False, True]
    assert second.written == (None, None)


def test_a_rotated_body_computes_the_condition_of_the_next_iteration() -> None:
    plan = Compared(build, [np.ones((2, 3), np.float32), np.ones(3, np.float32)]).plan
    record = plan.fetches[0].op.inputs[0].op.record
    assert isinstance(record, Loop)
    made = rotate(record, Trace())
    assert len(made.outputs) == 3
    less = made.outputs[2].op
    assert less.type == "Less"
    assert less.inputs[0] is made.outputs[0]
