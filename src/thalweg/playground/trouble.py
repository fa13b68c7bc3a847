"""Why a network has come to NaN: in which step, in which layer, and what helps."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.playground import journal as record
from thalweg.playground.engine import Engine, Values
from thalweg.playground.experiment import Experiment
from thalweg.playground.journal import Journal
from thalweg.playground.network import feed_rows

__all__ = ["explain"]

LARGE_INPUT = 20.0  # of a feature, from which on it is the data that make the sums large


def explain(experiment: Experiment, before: Values, journal: Journal) -> dict[str, Any]:
    """What the page says of it; the network is left as it was before the step that failed.

    Args:
        experiment: whose network has weights that are infinite or NaN.
        before: what it knew when it was last well.
        journal: of that time.
    """
    engine = experiment.engine
    last = _last_finite(experiment, before, record.runs(journal))
    made = last.step - before.step
    entries = record.written(journal, record.steps(experiment.state, made)) if made else journal
    engine.restore(last)
    layer, size = _layer(experiment, record.runs(entries))
    experiment.go_back(last, entries)
    return {
        "type": "nan",
        "layer": layer,
        "step": last.step + 1,
        "advice": _advice(experiment, layer, last.step + 1, size),
    }


def _last_finite(experiment: Experiment, before: Values, runs: int) -> Values:
    """What it knew before the first step that fails, found by halving."""
    engine = experiment.engine
    good, failed = before, engine.step
    while failed - good.step > 1:
        engine.restore(good)
        made = good.step - before.step
        engine.train(experiment.state, (failed - good.step) // 2, runs + made)
        if engine.is_finite():
            good = engine.values()
        else:
            failed = engine.step
    return good


def _layer(experiment: Experiment, runs: int) -> tuple[int, float]:
    """The layer in which it goes wrong, and the largest number there was before that.

    The first layer whose outputs are not finite; if all are, the last one whose weights are not
    after the step, since gradients go from the last to the first.
    """
    engine = experiment.engine
    feeds = feed_rows(engine.network, *engine.data.part("train"))
    outputs = engine.session.run(list(engine.network.outputs), feeds)
    sizes = [float(np.abs(output).max(initial=0)) for output in outputs]
    finite = [size for size in sizes if np.isfinite(size)]
    for layer, size in enumerate(sizes):
        if not np.isfinite(size):
            return layer, max(finite, default=0.0)
    engine.train(experiment.state, 1, runs)
    return _last_broken(engine), max(finite, default=0.0)


def _last_broken(engine: Engine) -> int:
    weights, biases = engine.weights()
    broken = [
        layer
        for layer, values in enumerate(zip(weights, biases, strict=True), 1)
        if not all(np.isfinite(array).all() for array in values)
    ]
    return max(broken, default=engine.structure.layers)


def _advice(experiment: Experiment, layer: int, step: int, size: float) -> dict[str, Any]:
    """A key of the page's texts, with what is to be put in."""
    state = experiment.state
    rate, pull = state["learningRate"], state["learningRate"] * state["regularizationRate"]
    values = {"layer": layer, "step": step, "size": size, "rate": rate, "suggested": rate / 10}
    if state["regularization"] == "L2" and pull > 1:
        suggested = 0.1 / rate
        values |= {"regularization": state["regularizationRate"], "suggested": suggested}
        return {"key": "nan.regularization", "values": values}
    inputs = np.abs(experiment.data.inputs).max(initial=0)
    if inputs > LARGE_INPUT:
        return {"key": "nan.data", "values": values | {"input": float(inputs)}}
    return {"key": "nan.learningRate", "values": values}
