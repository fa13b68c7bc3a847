"""Schedules with every feature beside every other, whether the model would choose them or not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import combinations

from thalweg.formula import Axis
from thalweg.kernels.nests.nest import Nest
from thalweg.kernels.schedules.choose import splits_sums
from thalweg.kernels.schedules.k_blocking import sums_once
from thalweg.kernels.schedules.schedule import Schedule
from thalweg.kernels.schedules.staging import stageable

ENOUGH = 20  # schedules in a row that combine nothing new


def some_schedules(nest: Nest, lanes: int, seed: int = 0) -> Iterator[Schedule]:
    """Schedules that have nearly every pair of features between them, a plain one first.

    Args:
        nest: what they are for.
        lanes: of a vector.
        seed: others for others.
    """
    yield Schedule(nest.axes)
    rng, seen, misses = random.Random(seed), set[object](), 0
    while misses < ENOUGH:
        schedule = random_schedule(nest, lanes, rng)
        pairs = set(combinations(_features(nest, schedule), 2))
        misses = misses + 1 if pairs <= seen else 0
        if not misses:
            seen |= pairs
            yield schedule


def _features(nest: Nest, s: Schedule) -> list[tuple[str, object]]:
    """What a schedule says, a name and a value each."""
    rows = [n for axis, n in s.tile.items() if axis is not s.vector]
    return [
        ("vector", None if s.vector is None else splits_sums(nest, s) is None),
        ("first", s.vector is s.order[0]),
        ("width", s.vector is not None and s.tile_of(s.vector)),
        ("rows", tuple(rows)),
        ("k_block", s.k_block),
        ("staged", len(s.staged)),
        ("unroll", s.unroll),
        ("parallel", min(s.parallel, 2)),
    ]


def random_schedule(nest: Nest, lanes: int, rng: random.Random) -> Schedule:
    """Any schedule that code can be written for."""
    outer = [a for a in nest.axes if a not in nest.sequential]
    vector = rng.choice([None, *outer, *outer, *_shared_sums(nest)])
    lanes = 1 if vector is None else lanes
    others = [a for a in nest.axes if a is not vector]
    tile = {rng.choice(others): rng.choice([2, 3])} if others and rng.random() < 0.7 else {}
    k_block, staged = 0, list[int]()
    if vector is not None and vector in outer:
        tile[vector] = rng.choice([1, 2, 3]) * lanes
        if sums_once(nest) and not nest.sequential:
            most = nest.reductions[0].axes[0].extent
            k_block = rng.choice([c for c in (0, 0, 1, 2, 5) if c <= most])
            staged = [s for s in stageable(nest, vector, k_block) if rng.random() < 0.6]
    rng.shuffle(outer)
    if staged:
        outer.sort(key=lambda axis: axis is not vector)
    order, unroll = (*outer, *nest.sequential), rng.choice([1, 2, 3, 5]) if nest.reductions else 1
    parallel = rng.randint(0, len(outer))
    return Schedule(order, vector, lanes, tile, parallel, unroll, k_block, tuple(staged))


def _shared_sums(nest: Nest) -> list[Axis]:
    """The reduced axes whose values may fill the lanes."""
    reductions = nest.reductions
    if not reductions or any(r.combiner.startswith("arg") for r in reductions):
        return []
    return [a for a in reductions[0].axes if all(a in r.axes for r in reductions)]
