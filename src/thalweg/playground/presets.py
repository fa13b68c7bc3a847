"""Settings that show something. What to look at, the page says in the reader's language."""

from __future__ import annotations

from typing import Any

__all__ = ["PRESETS"]

# By name, what differs from the usual settings.
PRESETS: dict[str, dict[str, Any]] = {
    # One neuron draws a straight line, and that is enough here.
    "line": {"dataset": "gauss", "networkShape": [], "activation": "linear"},
    # No straight line can do this; watch the loss stay at a half.
    "xor-without-hidden": {"dataset": "xor", "networkShape": []},
    # With hidden neurons it can.
    "xor-with-hidden": {"dataset": "xor", "networkShape": [4], "activation": "relu"},
    # Or with the right feature, and no hidden neuron at all.
    "xor-with-feature": {
        "dataset": "xor",
        "networkShape": [],
        "x": False,
        "y": False,
        "xTimesY": True,
    },
    # A hard one: two arms that wind around each other.
    "spiral": {
        "dataset": "spiral",
        "networkShape": [8, 8, 8],
        "activation": "relu",
        "optimizer": "adam",
        "learningRate": 0.01,
    },
    # Three arms, softmax and cross-entropy.
    "three-classes": {
        "dataset": "spiral",
        "classes": 3,
        "networkShape": [8, 8],
        "optimizer": "adam",
        "learningRate": 0.01,
    },
    # Sigmoids in deep networks: the first layers hardly move.
    "vanishing-gradients": {
        "dataset": "circle",
        "networkShape": [4, 4, 4, 4, 4, 4],
        "activation": "sigmoid",
        "learningRate": 0.1,
    },
    # Few noisy points and many neurons: the training loss falls, the test loss rises.
    "overfitting": {
        "dataset": "gauss",
        "noise": 50.0,
        "percTrainData": 10,
        "networkShape": [8, 8, 8],
        "optimizer": "adam",
        "learningRate": 0.01,
        "showTestData": True,
    },
    # The same with dropout.
    "dropout": {
        "dataset": "gauss",
        "noise": 50.0,
        "percTrainData": 10,
        "networkShape": [8, 8, 8],
        "optimizer": "adam",
        "learningRate": 0.01,
        "dropout": 0.3,
        "showTestData": True,
    },
    # L1 sets the weights of useless features to 0, and their links disappear.
    "useless-features": {
        "dataset": "circle",
        "networkShape": [],
        "regularization": "L1",
        "regularizationRate": 0.03,
        "xSquared": True,
        "ySquared": True,
        "xTimesY": True,
        "sinX": True,
        "sinY": True,
    },
    # A learning rate so high that the numbers explode.
    "exploding": {
        "problem": "regression",
        "regDataset": "reg-gauss",
        "networkShape": [8, 8],
        "activation": "relu",
        "learningRate": 10.0,
    },
    # All weights begin alike, and all neurons of a layer stay alike.
    "symmetry": {
        "dataset": "circle",
        "networkShape": [4, 2],
        "activation": "sigmoid",
        "initZero": True,
        "learningRate": 0.3,
    },
    # Handwritten digits, and ten weight images in blue and red.
    "digits": {"dataset": "digits", "networkShape": [], "learningRate": 0.1},
}
