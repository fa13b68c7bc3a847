"""What repeats in a plan is made and chosen once."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tf
from thalweg.base import dtypes
from thalweg.formula import Const, Read, affine, apply, axes
from thalweg.kernels import pipeline
from thalweg.kernels.kernel import Kernels
from thalweg.kernels.nests.form import form_of
from thalweg.kernels.nests.nest import Nest, make_nest
from thalweg.kernels.schedules.schedule import Machine, Schedule, plain
from thalweg.kernels.values import Definition, Temporary, Value
from thalweg.passes.make_plan import make_plan


def planned(layers: int, batch: int | None = 4) -> tuple[Kernels, list[Nest]]:
    """The kernels of a step of equal layers, and the nests whose schedule was asked for."""
    asked: list[Nest] = []

    def choose(nest: Nest) -> Schedule:
        asked.append(nest)
        return plain(nest)

    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [batch, 8])
        y = x
        for _ in range(layers):
            weights, bias = tf.Variable(tf.zeros([8, 8])), tf.Variable(tf.zeros([8]))
            y = tf.nn.relu(tf.matmul(y, weights) + bias)
        step = tf.train.AdamOptimizer(0.1).minimize(tf.reduce_mean(tf.square(y)))
        plan = make_plan([], [step], {x: (4, 8)}, {})
    return pipeline.make_kernels(plan, Machine(), choose, {}), asked


@pytest.mark.parametrize("batch", [4, None])
def test_a_schedule_is_chosen_once_for_equal_layers(batch: int | None) -> None:
    few, asked_of_few = planned(8, batch)
    many, asked_of_many = planned(16, batch)
    assert len(many.nests) > len(few.nests) + 8
    assert len(asked_of_many) == len(asked_of_few)


def test_kernels_that_are_alike_share_their_loops_but_not_their_values() -> None:
    kernels, _ = planned(8)
    alike: dict[int, list[Nest]] = {}
    for nest, _schedule in kernels.nests:
        alike.setdefault(id(nest.stores), []).append(nest)
    most = max(alike.values(), key=len)
    assert len(most) >= 6
    written = {nest.slots[nest.stores[0].slot] for nest in most}
    assert len(written) == len(most)
    assert len({nest.ops for nest in most}) == len(most)
    assert len({nest.structure for nest in most}) == 1


def test_a_nest_over_other_values_is_the_one_that_would_be_made() -> None:
    kernels, _ = planned(4, None)
    for nest, _schedule in kernels.nests:
        fresh = Nest(nest.axes, nest.stores, nest.slots, nest.ops, nest.scratch, nest.when)
        assert (fresh.structure, fresh.numbers, fresh.sizes) == (
            nest.structure,
            nest.numbers,
            nest.sizes,
        )


def added(number: float, extent: int = 64, shared: bool = False) -> list[Definition]:
    """`z[i] = x[i] + y[i] * number`, where x and y may be one."""
    (i,) = index = axes(extent)
    x, y, z = (Value(name, (extent,), dtypes.float32, Temporary(n)) for n, name in enumerate("xyz"))
    at = (affine(i),)
    factor = apply("mul", Read(x if shared else y, at, y.dtype), Const(number, y.dtype))
    body = apply("add", Read(x, at, x.dtype), factor)
    return [Definition(z, index, body, at, 0, ("add",))]


def test_forms_tell_apart_what_makes_other_nests() -> None:
    kinds = [added(2.0), added(3.0), added(0.0), added(-0.0), added(2.0, 65), added(2.0, 64, True)]
    keys = {form_of(members, lambda _: True).key for members in kinds}
    assert len(keys) == len(kinds)
    assert form_of(added(2.0), lambda _: True).key in keys


def test_the_values_of_a_form_are_those_of_its_nest() -> None:
    one, other = added(2.0), added(2.0)
    forms = [form_of(members, lambda _: True) for members in (one, other)]
    nests = [make_nest(members, lambda _: True) for members in (one, other)]
    places = [forms[0].values.index(value) for value in nests[0].slots]
    assert [forms[1].values[n] for n in places] == list(nests[1].slots)


def test_layers_compute_with_their_own_values() -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(8, 8)).astype(np.float32) for _ in range(5)]
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [4, 8])
        y = x
        for array in arrays:
            y = tf.nn.relu(tf.matmul(y, tf.Variable(array)))
        fed = rng.normal(size=(4, 8)).astype(np.float32)
        session.run(tf.global_variables_initializer())
        made = session.run(y, {x: fed})
    expected = fed
    for array in arrays:
        expected = np.maximum(expected @ array, 0)
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-5)
