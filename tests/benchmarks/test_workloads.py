"""Thalweg's side of every workload, on small data, and what a step is said to cost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import thalweg as tf
from benchmarks.models import Data
from benchmarks.peers.numpy_worker import MODELS
from benchmarks.workloads import (
    WORKLOADS,
    cnn,
    gan,
    lstm,
    mlp,
    overheads,
    resnet,
    softmax,
    transformer,
)
from benchmarks.workloads.workload import Cost, prediction_cost, training_cost

SMALL: dict[str, Callable[[], Data]] = {
    "softmax": lambda: softmax.data(3, 10),
    "softmax_loop": lambda: softmax.data(3),
    "mlp_64": lambda: mlp.data(3, 4, mlp.NARROWEST_WIDTHS),
    "mlp_320": lambda: mlp.data(3, 4, mlp.NARROW_WIDTHS),
    "mlp": lambda: mlp.data(3, 4),
    "gan": lambda: gan.data(3, 4),
    "cnn": lambda: cnn.data(3, 2),
    "cnn_predict_1": lambda: cnn.data(2, 1),
    "cnn_predict_256": lambda: cnn.data(2, 3),
    "resnet": lambda: resnet.data(3, 2, blocks=1),
    "transformer": lambda: transformer.data(3, 1, layers=1),
    "lstm": lambda: lstm.data(3, 4),
    "empty": overheads.data,
    "add": overheads.data,
}
CLASSES = {"transformer": 1000, "gan": 2}


@pytest.mark.parametrize("name", [n for n in WORKLOADS if WORKLOADS[n].cost and "predict" not in n])
def test_training_starts_at_chance_and_can_be_repeated(name: str) -> None:
    data = SMALL[name]()
    model = WORKLOADS[name].build(data, 1)
    first = model.check(2)
    model.run(2)
    model.reset()
    np.testing.assert_array_equal(model.check(2), first)
    if name not in ("softmax", "softmax_loop", "cnn"):  # which sum the losses of a batch
        # Random weights know nothing; but they are not small enough to say exactly that.
        assert first[0] == pytest.approx(np.log(CLASSES.get(name, 10)), rel=0.5)


@pytest.mark.parametrize("name", ["softmax", "softmax_loop", "mlp", "mlp_64", "mlp_320"])
def test_losses_are_those_of_numpy(name: str) -> None:
    data = SMALL[name]()
    expected = MODELS[name](data).check(3)
    np.testing.assert_allclose(
        WORKLOADS[name].build(data, 1).check(3), expected, rtol=WORKLOADS[name].tolerance
    )


@pytest.mark.parametrize("name", ["cnn_predict_1", "cnn_predict_256"])
def test_predictions_are_probabilities(name: str) -> None:
    data = SMALL[name]()
    answers = WORKLOADS[name].build(data, 1).check(2)
    assert answers.shape == (2, data.inputs.shape[1], 10)
    np.testing.assert_allclose(answers.sum(-1), 1.0, rtol=1e-6)


@pytest.mark.parametrize("name", ["empty", "add"])
def test_overheads_compute_what_they_say(name: str) -> None:
    data = overheads.data()
    answer = WORKLOADS[name].build(data, 1).check(1)
    np.testing.assert_array_equal(answer[0], MODELS[name](data).check(1)[0])


@pytest.mark.parametrize("name", list(WORKLOADS))
def test_data_are_the_same_at_every_call(name: str) -> None:
    one, other = SMALL[name](), SMALL[name]()
    np.testing.assert_array_equal(one.inputs, other.inputs)
    np.testing.assert_array_equal(one.labels, other.labels)
    for key, weight in one.weights.items():
        np.testing.assert_array_equal(weight, other.weights[key])
        assert weight.dtype == np.float32


def test_training_cost() -> None:
    data = Data({"w": np.zeros(10, np.float32)}, np.zeros((4, 5), np.float32), np.zeros((4, 1)))
    # 3 x 100 multiplications less the first layer's 30 that give a gradient nobody needs; three
    # arrays of 40 bytes, read and written; a batch of 5 x 4 + 8 bytes, of which there are four
    expected = Cost(flops=540, bytes=2 * 3 * 40 + 28, footprint=3 * 40 + 4 * 28)
    assert training_cost(data, 100, 30, "adam") == expected
    assert prediction_cost(data, 100) == Cost(flops=200, bytes=40 + 20, footprint=40 + 80)


def test_cost_of_the_cnn_is_the_textbook_sum() -> None:
    cost = cnn.cost_of_prediction(cnn.data(1, 1))
    layers = (28 * 28 * 25 * 32, 14 * 14 * 25 * 32 * 64, 3136 * 1024, 1024 * 10)
    assert cost.flops == 2 * sum(layers)


WHOLE: dict[str, Callable[[], Data]] = {
    "mlp": lambda: mlp.data(1, 128),
    "gan": lambda: gan.data(1, 64),
    "lstm": lambda: lstm.data(1, 32),
}


@pytest.mark.parametrize("name", list(WHOLE))
def test_cost_is_what_the_compiler_counts(name: str) -> None:
    data = WHOLE[name]()
    workload = WORKLOADS[name]
    model = workload.build(data, 1)
    (batch,) = model.batches  # type: ignore[attr-defined]
    feeds = {model._inputs: batch[0], model._labels: batch[1]}  # type: ignore[attr-defined]
    counted = tf.explain(model._train, feeds, model.session).flops  # type: ignore[attr-defined]
    assert workload.cost is not None
    flops = workload.cost(data).flops
    # The compiler counts pointwise operations and the optimiser's as well.
    assert flops <= counted <= 1.2 * flops
