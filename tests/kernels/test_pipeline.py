"""What planning keeps count of, against a search through everything."""

from __future__ import annotations

import random
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import pytest

import thalweg as tf
from thalweg.base.dtypes import float32
from thalweg.formula import Affine, Axis, Expr, Read, affine, axes, combination, sum_over
from thalweg.kernels.memory import ALIGNMENT, lifetimes, plan_memory
from thalweg.kernels.values import Definition, Readers, Value
from thalweg.passes.fold import fold
from thalweg.passes.make_plan import make_plan

LENGTH = 8


def _value(name: str) -> Value:
    return Value(name, (LENGTH,), float32)


def _definition(value: Value, sources: list[Value], order: int) -> Definition:
    index = axes(LENGTH)
    place = (affine(index[0]),)
    body: Expr = Read(sources[0], place, float32)
    for source in sources[1:]:
        body = body + Read(source, place, float32)
    return Definition(value, index, body, place, order, (value.name,))


def _searched(definitions: list[Definition], value: Value) -> list[Definition]:
    return [d for d in definitions if any(r.source.root is value for r in d.reads())]


@pytest.mark.parametrize("seed", range(5))
def test_readers_agree_with_a_search_while_bodies_change(seed: int) -> None:
    chance = random.Random(seed)
    values = [_value(f"v{n}") for n in range(12)]
    alias = Value("alias", (2, LENGTH // 2), float32, base=values[0])
    sources = [*values, alias]
    definitions = [
        _definition(value, chance.sample(sources, 2), n) for n, value in enumerate(values)
    ]
    readers = Readers(definitions)
    for _ in range(40):
        changed = chance.choice(definitions)
        changed.body = _definition(changed.value, chance.sample(sources, 3), 0).body
        readers.update(changed)
        for value in values:
            assert readers.of(value) == _searched(definitions, value)


def test_an_expression_remembers_its_reads_and_reductions() -> None:
    i, k = axes(LENGTH, LENGTH)
    inner = Read("r", (affine(i),), float32)
    read = Read("x", (Affine(((inner, 1),)), affine(k)), float32)
    total = sum_over([k], read * read)
    assert total.reads == (inner, read)  # once each, the read in an index first
    assert total.reductions == (total,)
    assert (total + inner).reductions == (total,)
    assert inner.reductions == ()


def test_a_combination_of_indices_has_the_value_of_its_parts() -> None:
    i, j = Axis(4, "i"), Axis(5, "j")

    def at(index: Affine, place: Mapping[Any, int]) -> int:
        return index.constant + sum(f * place[a] for a, f in index.terms)

    left, right = i * 3 + j + 2, j * 2 - i * 4
    both = combination([(left, 2), (right, -1), (i, 5), (7, 3)], 1)
    for place in [{i: 0, j: 0}, {i: 3, j: 1}, {i: 2, j: 4}]:
        expected = 2 * at(left, place) - at(right, place) + 5 * place[i] + 7 * 3 + 1
        assert at(both, place) == expected
    assert combination([(i, 2), (j, 1), (i, -2)]) == affine(j)


@pytest.mark.parametrize("seed", range(5))
def test_values_alive_together_do_not_share_memory(seed: int) -> None:
    chance = random.Random(seed)
    values = [Value(f"v{n}", (chance.randrange(1, 400),), float32) for n in range(40)]
    lives = {value: sorted(chance.sample(range(30), 2)) for value in values}
    kernels: list[tuple[list[Value], list[Value]]] = [([], []) for _ in range(30)]
    for value, (born, dead) in lives.items():
        kernels[born][1].append(value)
        kernels[dead][0].append(value)
    arena = plan_memory(lifetimes(kernels), lambda value: value.bytes)
    for value, offset in arena.offsets.items():
        assert offset % ALIGNMENT == 0
        assert offset + value.bytes <= arena.size
    for a, b in combinations(values, 2):
        if lives[a][0] <= lives[b][1] and lives[b][0] <= lives[a][1]:
            apart = (arena.offsets[a] + a.bytes, arena.offsets[b] + b.bytes)
            assert apart[0] <= arena.offsets[b] or apart[1] <= arena.offsets[a]


def test_folding_what_is_folded_changes_nothing() -> None:
    x = tf.placeholder(tf.float32, [None, 6])
    y = tf.reshape(x, [-1, 2, 3]) * tf.cast(tf.shape(x)[1], tf.float32)
    plan = make_plan([y], [], {x: (4, 6)}, {})
    assert fold(plan) is plan
