"""Trains a network with Thalweg, and compares with another system."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import thalweg as tf
from tests.networks.catalogue import NETWORKS
from tests.networks.layers import Array, images, labels
from tests.networks.training import MOMENTUM, RATE, STEPS
from tests.networks.with_thalweg import ThalwegLayers

Results = Mapping[str, Array]

# Of the norm of a result. An activation near 0 may be on the other side of it in float32, and
# normalisation over few elements amplifies, so single elements differ by more than by rounding.
CLOSE = {"float32": 2e-2, "float64": 1e-7}
# Beside what is largest, a gradient that would be 0 but for rounding does not count.
NEGLIGIBLE = {"float32": 1e-4, "float64": 1e-10}


def trained(
    name: str, batch: int, dtype: str, backend: str, short: bool, opened: bool = False
) -> Results:
    """The first outputs and gradients, the losses of all steps, and the last weights.

    Args:
        name: of the network.
        batch: how many images.
        dtype: of everything.
        backend: of the session.
        short: whether the network has fewer repeated blocks.
        opened: whether the graph does not know the batch.
    """
    network, graph = NETWORKS[name], tf.Graph()
    config = tf.ConfigProto(backend=backend)
    with graph.as_default(), tf.Session(graph=graph, config=config) as session:
        fed, wanted = images(batch, network.side(short)), labels(batch, network.classes)
        x = tf.placeholder(dtype, [None if opened else batch, *fed.shape[1:]])
        y = tf.placeholder(tf.int64, [None if opened else batch])
        layers = ThalwegLayers(dtype)
        outputs, loss = network.build(layers, x, y, short)
        optimizer = tf.train.MomentumOptimizer(RATE, MOMENTUM)
        pairs = optimizer.compute_gradients(loss, layers.variables)
        step = optimizer.apply_gradients(pairs)
        fetches = [outputs, tf.gradients(loss, x)[0], [gradient for gradient, _ in pairs]]
        session.run(tf.global_variables_initializer())
        feeds = {x: fed, y: wanted}
        first, by_x, gradients = session.run(fetches, feeds)
        losses = [session.run([loss, step], feeds)[0] for _ in range(STEPS)]
        finals = session.run(layers.variables)
    return {
        "outputs": first,
        "gradient": by_x,
        **{f"gradient {n}": array for n, array in enumerate(gradients)},
        **{f"weight {n}": array for n, array in enumerate(finals)},
        "losses": np.array(losses),
    }


def trained_by_torch(python: str, name: str, batch: int, short: bool) -> Results:
    """The same by PyTorch, in float64.

    Args:
        python: of an environment that has it.
        name: of the network.
        batch: how many images.
        short: whether the network has fewer repeated blocks.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "results.npz")
        kind = "short" if short else "whole"
        command = [python, "-m", "tests.networks.with_torch", name, str(batch), str(STEPS), kind]
        root = str(Path(__file__).parents[2])
        subprocess.run([*command, file], check=True, env={**os.environ, "PYTHONPATH": root})
        with np.load(file) as results:
            return dict(results)


def differences(actual: Results, wanted: Results, dtype: str) -> list[str]:
    """What is not as it should be."""
    assert actual.keys() == wanted.keys()
    largest: dict[str, float] = {}
    for name, array in wanted.items():
        kind = name.split()[0]
        largest[kind] = max(largest.get(kind, 0.0), float(np.linalg.norm(array.ravel())))
    found = []
    for name, array in wanted.items():
        distance = _distance(actual[name], array)
        norm = float(np.linalg.norm(array.ravel()))
        slack = CLOSE[dtype] * norm + NEGLIGIBLE[dtype] * largest[name.split()[0]]
        if not distance <= slack:
            found.append(f"{name} {list(array.shape)} is off by {distance:.3g} of {norm:.3g}")
    return found


def _distance(actual: Any, wanted: Array) -> float:
    got = np.asarray(actual, np.float64)
    if got.shape != wanted.shape:
        return np.inf
    return float(np.linalg.norm((got - wanted).ravel()))
