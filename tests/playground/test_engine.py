"""The engine trains as the original does, and says what it knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from tests.playground.original import Original
from thalweg.base.errors import InvalidArgumentError
from thalweg.playground.engine import Engine, initial_values, structure_of
from thalweg.playground.network import OPTIMIZERS
from thalweg.playground.points import make_data
from thalweg.playground.state import ACTIVATIONS, parsed
from thalweg.playground.state import OPTIMIZERS as NAMES


@contextmanager
def engine_of(link: str) -> Iterator[tuple[Engine, Any]]:
    state = parsed(f"{link}&seed=1")
    data = make_data(state)
    structure = structure_of(state, data)
    engine = Engine(structure, data, *initial_values(structure, "1", 0, state["initZero"]))
    yield engine, state
    engine.close()


@pytest.mark.parametrize(
    "link",
    [
        "dataset=spiral&noise=10",
        "dataset=xor&activation=relu&regularization=L2&regularizationRate=0.1&sinX=true&xTimesY=true",
        "regularization=L1&regularizationRate=0.3&learningRate=0.1&xSquared=true&ySquared=true",
        "problem=regression&regDataset=reg-gauss&activation=sigmoid&networkShape=5&batchSize=7",
        "dataset=gauss&networkShape=&initZero=true&regularization=L1&regularizationRate=0.01",
    ],
)
def test_it_trains_as_the_original_does(link: str) -> None:
    with engine_of(link) as (engine, state):
        structure, (weights, biases) = engine.structure, engine.weights()
        original = Original(
            [w.tolist() for w in weights],
            [b.tolist() for b in biases],
            structure.activations,
            structure.regularization,
        )
        steps, batch = 60, state["batchSize"]
        engine.train(state, steps, 1)
        inputs, labels = engine.data.part("train")
        rows = [
            (_features(structure.features, *map(float, point)), float(label))
            for point, label in zip(inputs, labels, strict=True)
        ]
        for n in range(steps):
            taken = [rows[k % len(rows)] for k in range(n * batch, (n + 1) * batch)]
            original.step(taken, state["learningRate"], state["regularizationRate"])
        found_weights, found_biases = engine.weights()
        # float32 against float64: sixty steps of some hundred roundings of numbers around 1.
        for found, wanted in zip(found_weights, original.weights, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
        for bias, wanted_bias in zip(found_biases, original.biases, strict=True):
            np.testing.assert_allclose(bias, wanted_bias, rtol=1e-4, atol=1e-5)
        dead = [bool(one) for layer in original.dead for row in layer for one in row]
        assert any(dead) == (state["regularizationRate"] == 0.3)  # of these, one kills links
        losses = [0.5 * (original.outputs(point)[1][-1][0] - label) ** 2 for point, label in rows]
        assert engine.measure("train").loss == pytest.approx(np.mean(losses), rel=1e-4)


def _features(names: tuple[str, ...], x: float, y: float) -> list[float]:
    known = {
        "x": x,
        "y": y,
        "xSquared": x * x,
        "ySquared": y * y,
        "xTimesY": x * y,
        "sinX": float(np.sin(x)),
        "sinY": float(np.sin(y)),
    }
    return [known[name] for name in names]


def test_steps_are_the_same_however_they_are_cut() -> None:
    with engine_of("dropout=0.3&optimizer=adam") as (one, state):
        one.train(state, 30, 1)
        with engine_of("dropout=0.3&optimizer=adam") as (other, _):
            for n in range(6):
                other.measure("test")  # a run in between changes nothing
                other.train(state, 5, 1 + 5 * n)
            for a, b in zip(one.weights()[0], other.weights()[0], strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_lowers_the_loss(name: str) -> None:
    rate = {"adadelta": 3.0, "rmsprop": 0.003, "adam": 0.01}.get(name, 0.03)
    with engine_of(f"dataset=gauss&networkShape=3&optimizer={name}&learningRate={rate}") as (
        engine,
        state,
    ):
        before = engine.measure("train").loss
        engine.train(state, 200, 1)
        assert engine.measure("train").loss < before / 2


def test_all_words_of_a_link_are_known() -> None:
    from thalweg.playground import network

    assert set(NAMES) == set(OPTIMIZERS)
    assert set(ACTIVATIONS) == set(network.ACTIVATIONS)


def test_three_classes_are_told_apart() -> None:
    link = "dataset=gauss&classes=3&networkShape=8&optimizer=adam&learningRate=0.03"
    with engine_of(link) as (engine, state):
        engine.train(state, 1000, 1)
        found = engine.measure("test")
        assert found.accuracy is not None
        assert found.confusion is not None
        assert found.accuracy > 0.95
        assert sum(map(sum, found.confusion)) == len(engine.data.labels) - engine.data.train
        assert found.accuracy == sum(row[n] for n, row in enumerate(found.confusion)) / sum(
            map(sum, found.confusion)
        )


def test_pictures_show_what_neurons_make_of_the_plane() -> None:
    with engine_of("networkShape=3&activation=relu") as (engine, _):
        (weights, last), (biases, bias) = engine.weights()
        x, y, *hidden, output = engine.pictures(range(6), 5)
        across = np.linspace(-6, 6, 5)
        plane = np.stack(np.meshgrid(across, across[::-1]), axis=-1)
        relu = np.maximum(0, plane @ weights + biases)
        wanted = [plane[..., 0], plane[..., 1], *np.moveaxis(relu, -1, 0)]
        wanted.append(np.tanh(relu @ last + bias)[..., 0])
        for found, values in zip([x, y, *hidden, output], wanted, strict=True):
            levels = np.clip(values * 127.5 + 127.5, 0, 255)
            assert np.abs(found.astype(int) - levels).max() < 1.01  # cut off to a whole number


def test_digits_have_weight_images() -> None:
    with engine_of("dataset=digits&networkShape=&learningRate=0.1") as (engine, state):
        engine.train(state, 300, 1)
        images = engine.weight_images()
        assert images.shape == (10, 28, 28)
        assert {0, 255} & set(images.reshape(-1).tolist())
        assert (images[:, 0, 0] != 128).any()  # no ink there: the weights are as they began
        accuracy = engine.measure("test").accuracy
        assert accuracy is not None
        assert accuracy > 0.8


def test_a_network_that_is_too_large_is_refused() -> None:
    state = parsed("networkShape=64,64,64,64,64,64,64,64,64,64&dataset=digits")
    with pytest.raises(InvalidArgumentError, match="60,000 are allowed"):
        structure_of(state, make_data(state))


def test_weights_are_edited_where_there_are_some() -> None:
    with engine_of("networkShape=3") as (engine, _):
        engine.edit(1, (1, 2), 0.75)
        engine.edit(2, (0,), -2.0)
        weights, biases = engine.weights()
        assert (weights[0][1, 2], biases[1][0]) == (0.75, -2.0)
        for layer, place in ((0, (0, 0)), (3, (0,)), (1, (2, 0)), (1, (-1, 0)), (1, (3,))):
            with pytest.raises(InvalidArgumentError, match="layer"):
                engine.edit(layer, place, 1.0)
