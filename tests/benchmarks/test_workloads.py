"""Thalweg's side of every workload, on small data, and what a step is said to cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from benchmarks import graphs
from benchmarks.models import Array, Data
from benchmarks.peers.numpy_worker import MODELS
from benchmarks.recipes import PREDICTIONS, RECIPES, congruential
from benchmarks.workloads import (
    WORKLOADS,
    cnn,
    embedding,
    gan,
    googlenet,
    loops,
    lstm,
    mlp,
    overheads,
    resnet,
    resnet50,
    softmax,
    transformer,
)
from benchmarks.workloads.workload import Cost, prediction_cost, training_cost
from tests.shares import one_in

ROWS, STEPS = 3000, 20  # of a table, and of loops; both are larger when they are measured
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
    "resnet": lambda: resnet.data(3, 2, count=1),
    "resnet50": lambda: resnet50.data(3, 2, 32, 8),
    "resnet50_predict_1": lambda: resnet50.data_of_use(2, 1, 32, 8),
    "resnet50_predict_16": lambda: resnet50.data_of_use(2, 3, 32, 8),
    "googlenet": lambda: googlenet.data(3, 2, 32),
    "googlenet_predict_1": lambda: googlenet.data(2, 1, 32),
    "googlenet_predict_16": lambda: googlenet.data(2, 3, 32),
    "transformer": lambda: transformer.data(3, 1, layers=1),
    "lstm": lambda: lstm.data(3, 4),
    "lstm_dynamic": lambda: lstm.data(3, 4),
    "lstm_500": lambda: lstm.long_data(3, 4, steps=10),
    "while_scalar": loops.scalar_data,
    "while_product": loops.product_data,
    "while_product_gradient": loops.product_data,
    **{w.name: lambda: embedding.data(ROWS, 3, 4) for w in embedding.ALL},
    "empty": overheads.data,
    "add": overheads.data,
}
CLASSES = {"transformer": 1000, "gan": 2, "resnet50": 1000, "googlenet": 1000}


@pytest.fixture(autouse=True)
def few_rows_and_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "SCALAR_STEPS", STEPS)
    monkeypatch.setattr(graphs, "PRODUCTS", STEPS)
    for workload in embedding.ALL:
        recipe = RECIPES[workload.name]
        monkeypatch.setitem(RECIPES, workload.name, replace(recipe, rows=ROWS))


LARGE = {"resnet50", "googlenet"}  # whose layers and training `tests/networks` has


@pytest.mark.parametrize("name", [n for n in WORKLOADS if n in RECIPES and n not in LARGE])
def test_training_starts_at_chance_and_can_be_repeated(name: str) -> None:
    data = SMALL[name]()
    model = WORKLOADS[name].build(data, 1)
    first = model.check(2)
    model.run(2)
    model.reset()
    np.testing.assert_array_equal(model.check(2), first)
    if RECIPES[name].mean:
        # Random weights know nothing; but they are not small enough to say exactly that.
        assert first[0] == pytest.approx(np.log(CLASSES.get(name, 10)), rel=0.5)


@pytest.mark.parametrize("name", ["softmax", "softmax_loop", "mlp", "mlp_64", "mlp_320"])
def test_losses_are_those_of_numpy(name: str) -> None:
    data = SMALL[name]()
    expected = MODELS[name](data).check(3)
    np.testing.assert_allclose(
        WORKLOADS[name].build(data, 1).check(3), expected, rtol=WORKLOADS[name].tolerance
    )


@pytest.mark.parametrize("name", one_in(2, PREDICTIONS))
def test_predictions_are_probabilities(name: str) -> None:
    data = SMALL[name]()
    answers = WORKLOADS[name].build(data, 1).check(2)
    assert answers.shape == (2, data.inputs.shape[1], CLASSES.get(PREDICTIONS[name], 10))
    np.testing.assert_allclose(answers.sum(-1), 1.0, rtol=1e-5)


def test_dynamic_rnn_trains_as_the_steps_written_out() -> None:
    data = lstm.data(3, 4)
    losses, wanted = (WORKLOADS[n].build(data, 1).check(3) for n in ("lstm_dynamic", "lstm"))
    np.testing.assert_allclose(losses, wanted, rtol=1e-5)


def test_sequences_end_before_their_zeros() -> None:
    data = lstm.long_data(1, 3, steps=10)
    lengths = (data.inputs[0] != 0).any(-1).sum(-1)
    assert len(set(lengths)) > 1
    alone = []
    for sequence, label, length in zip(data.inputs[0], data.labels[0], lengths, strict=True):
        cut = Data(data.weights, sequence[None, None, :length], label[None, None])
        alone.append(WORKLOADS["lstm_500"].build(cut, 1).check(1)[0])
    (together,) = WORKLOADS["lstm_500"].build(data, 1).check(1)
    assert together == pytest.approx(np.mean(alone), rel=1e-5)


def test_loops_compute_what_they_say() -> None:
    (number,) = WORKLOADS["while_scalar"].build(loops.scalar_data(1), 1).check(1)
    expected = 1
    for _ in range(STEPS):
        expected = congruential(expected) & 0xFFFFFFFF
    assert int(number) & 0xFFFFFFFF == expected
    data = loops.product_data(1)
    turn, start = data.weights["turn"].astype(np.float64), data.inputs[0].astype(np.float64)
    every = [start @ np.linalg.matrix_power(turn, n) for n in range(STEPS + 1)]
    (last,) = WORKLOADS["while_product"].build(data, 1).check(1)
    np.testing.assert_allclose(last, every[-1], rtol=1e-4, atol=1e-4)
    # By the turn of the step after n products: those before, times what comes back from the end.
    back = [(every[-1] - start) @ np.linalg.matrix_power(turn.T, n) for n in range(STEPS)]
    wanted = sum(h.T @ g for h, g in zip(every[:-1], reversed(back), strict=True))
    (gradient,) = WORKLOADS["while_product_gradient"].build(data, 1).check(1)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("rule", list(embedding.RULES))
def test_embeddings_are_trained_row_by_row(rule: str) -> None:
    name = f"embedding_{rule}"
    data = SMALL[name]()
    losses = WORKLOADS[name].build(data, 1).check(3)
    np.testing.assert_allclose(losses, bag_of_words(data, rule, RECIPES[name].rate), rtol=1e-4)


def bag_of_words(data: Data, rule: str, rate: float) -> list[float]:
    """The losses of three steps in float64, with each word's slots at its own row."""
    w: dict[str, Array] = {k: a.astype(np.float64) for k, a in data.weights.items()}
    w["table"] = np.tile(w.pop("pattern"), (ROWS // embedding.PATTERN, 1))
    slots = {k: (np.full_like(a, 0.1 if rule == "adagrad" else 0), 0 * a) for k, a in w.items()}
    losses = []
    for step, (words, labels) in enumerate(zip(data.inputs, data.labels, strict=True), 1):
        h = w["table"][words].mean(1)
        scores = np.exp(h @ w["out_w"] + w["out_b"])
        scores /= scores.sum(1, keepdims=True)
        losses.append(float(-np.log(scores[np.arange(len(labels)), labels]).sum()))
        scores[np.arange(len(labels)), labels] -= 1
        rows = np.zeros_like(w["table"])
        np.add.at(rows, words, (scores @ w["out_w"].T / words.shape[1])[:, None])
        gradients = {"table": rows, "out_w": h.T @ scores, "out_b": scores.sum(0)}
        touched: dict[str, Any] = {"table": np.unique(words)}
        for key, gradient in gradients.items():
            where = touched.get(key, slice(None))
            change(rule, rate, step, w[key], slots[key], gradient, where)
    return losses


def change(
    rule: str, rate: float, step: int, w: Array, slots: Any, gradient: Array, rows: Any
) -> None:
    """An optimiser's step on some rows of a weight."""
    g, (m, v) = gradient[rows], slots
    if rule == "sgd":
        w[rows] -= rate * g
    elif rule == "adagrad":
        m[rows] += g**2
        w[rows] -= rate * g / np.sqrt(m[rows])
    else:
        m[rows] = 0.9 * m[rows] + 0.1 * g
        v[rows] = 0.999 * v[rows] + 0.001 * g**2
        corrected = rate * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        w[rows] -= corrected * m[rows] / (np.sqrt(v[rows]) + 1e-8)


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


def test_costs_of_networks_are_those_that_are_published() -> None:
    # He et al. 2016, table 1 (with the stride in the 3x3 convolution); Szegedy et al. 2015, table 1
    assert sum(resnet50.multiplications(resnet50.data(1, 1))) == pytest.approx(4.09e9, rel=0.01)
    assert sum(googlenet.multiplications(googlenet.data(1, 1))) == pytest.approx(1.58e9, rel=0.01)


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
