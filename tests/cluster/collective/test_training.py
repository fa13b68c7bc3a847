"""Two processes learn what one process learns that computes both halves; see `trainer`."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.cluster.collective.trainer import STEPS, Network, rows
from tests.cluster.launched import launched
from thalweg.cluster.launch.task import Task

Values = dict[str, list[np.ndarray[Any, Any]]]


@pytest.fixture(scope="module")
def learnt() -> list[Values]:
    """By rank, the variables after training in each way."""
    found = launched("-m", "tests.cluster.collective.trainer")
    made = []
    for rank in range(2):
        values, place = sorted(found.said(Task("worker", rank)), key=len, reverse=True)
        assert json.loads(place) == [rank, 2, rank, 2]
        ways: dict[str, Any] = json.loads(values)
        made.append({k: [np.array(v, np.float32) for v in way] for k, way in ways.items()})
    assert found.status == 0
    return made


def by_turns() -> list[Any]:
    """The variables of one process that computes the gradients of both halves, one by one.

    NumPy averages them, and they are fed to the update.
    """
    with tf.Graph().as_default(), tf.Session() as session:
        network = Network()
        optimizer = tf.train.GradientDescentOptimizer(0.1)
        loss, fed = network.loss()
        pairs = optimizer.compute_gradients(loss)
        # Together with the halved rows, as the processes compute them: what is computed together is
        # compiled together, and a sum's last bit may depend on that.
        dense, bias, table = [gradient for gradient, _ in pairs]
        assert isinstance(table, tf.IndexedSlices)
        given: list[Any] = [dense, bias, table.values / 2, table.indices, loss]
        means = [tf.placeholder(tf.float32, v.shape) for v in network.variables[:2]]
        slices = tf.IndexedSlices(
            tf.placeholder(tf.float32, [None, 10]), tf.placeholder(tf.int64, [None])
        )
        step = optimizer.apply_gradients(zip([*means, slices], network.variables, strict=True))
        session.run(tf.global_variables_initializer())
        for number in range(STEPS):
            one, other = [
                session.run(given, dict(zip(fed, rows(number, rank), strict=True)))
                for rank in range(2)
            ]
            feeds: dict[Any, Any] = {means[n]: (one[n] + other[n]) / 2 for n in range(2)}
            feeds[slices.values] = np.concatenate([one[2], other[2]])
            feeds[slices.indices] = np.concatenate([one[3], other[3]])
            session.run(step, feeds)
        return session.run(network.variables)  # type: ignore[no-any-return]


def test_the_bits_are_those_of_one_process_that_computes_both_halves(learnt: list[Values]) -> None:
    for ours in learnt:
        for value, expected in zip(ours["plain"], by_turns(), strict=True):
            np.testing.assert_array_equal(value, expected)


@pytest.mark.parametrize("way", ["plain", "bf16", "fp16", "top_k", "local"])
def test_all_ranks_have_the_same_bits(learnt: list[Values], way: str) -> None:
    """Local steps too: the last of them ends with an average."""
    for one, other in zip(learnt[0][way], learnt[1][way], strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("way", "tolerance"),
    [
        ("fp16", 2e-3),  # half floats have 11 bits; six steps of rate 0.1
        ("bf16", 2e-2),  # 8 bits
        ("local", 0.2),  # other gradients, at other variables
        ("top_k", 0.3),  # a tenth of the elements a step
    ],
)
def test_less_communication_learns_nearly_the_same(
    learnt: list[Values], way: str, tolerance: float
) -> None:
    assert not np.array_equal(learnt[0][way][0], learnt[0]["plain"][0])
    for value, plain in zip(learnt[0][way], learnt[0]["plain"], strict=True):
        np.testing.assert_allclose(value, plain, atol=tolerance * np.abs(plain).max())
