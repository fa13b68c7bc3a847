"""What runs for a layer: its operations, and the kernels that the compiler made of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import thalweg as tf
from thalweg.base.errors import InvalidArgumentError
from thalweg.inspect.machine_code import machine_code
from thalweg.playground.engine import Engine
from thalweg.playground.experiment import Experiment

__all__ = ["Inspection", "measure_machine"]

RUNS = 20  # that are measured
LONGEST_CODE = 20_000  # characters of a kernel's machine code
# The layer in an operation's name; what the features are made of counts as layer 0.
LAYER = re.compile(r"(?:^|/)(?:update_)?(?:layer|weights|biases|alive)(\d+)(?:_\d+)?(?:/|$)")
FEATURES = re.compile(r"(?:^|/)(?:features|Gather)(?:/|$)")


_peak: list[float] = []  # floating-point operations a second of one thread


def measure_machine() -> None:
    """Find out what one thread can do. Takes half a second, the first time."""
    with tf.Graph().as_default(), tf.Session() as session:
        peak = tf.profile(tf.ones([64]) * 2.0, session=session, steps=1).peak
    if peak is not None:
        _peak[:] = [peak.flops]


class Inspection:
    """Looks at the step of a network."""

    def __init__(self) -> None:
        self._known: Engine | None = None
        self._flops = 0

    def share_of_peak(self, experiment: Experiment) -> float | None:
        """The share of its peak that one thread reaches in a step; None if not known yet."""
        engine = experiment.engine
        if not _peak or not engine.seconds_per_step:
            return None
        if engine is not self._known:
            feeds = engine.feeds(experiment.state)
            self._known = engine
            self._flops = tf.explain(engine.network.train, feeds, engine.session).flops
        return self._flops / engine.seconds_per_step / _peak[0]

    def of_layer(self, experiment: Experiment, layer: int) -> dict[str, Any]:
        """The operations and kernels of a layer, with the time that they take in a step.

        Raises:
            InvalidArgumentError: if there is no such layer.
        """
        engine = experiment.engine
        if not 0 <= layer <= engine.structure.layers:
            raise InvalidArgumentError(f"there is no layer {layer}")
        feeds = engine.feeds(experiment.state)
        profile = _profile(engine, feeds)
        kernels = tf.explain(engine.network.train, feeds, engine.session).kernels
        # The last operation of a kernel makes its result; others may serve several layers.
        own = [_layer_of(_named(kernel)[-1]) if _named(kernel) else None for kernel in kernels]
        numbers = [n for n, one in enumerate(own) if one == layer]
        code = machine_code(engine.session, engine.network.train, feeds, numbers)
        times = _times(profile)
        return {
            "type": "inspection",
            "layer": layer,
            "operations": _operations(profile, layer),
            "kernels": [
                _kernel(kernels[n], text, times, profile.peak)
                for n, text in zip(numbers, code, strict=True)
            ],
        }


def _profile(engine: Engine, feeds: Mapping[Any, Any]) -> tf.Profile:
    """The times of some steps, which are taken back."""
    before = engine.values()
    try:
        return tf.profile(engine.network.train, feeds, engine.session, steps=RUNS)
    finally:
        engine.restore(before)


def _operations(profile: tf.Profile, layer: int) -> list[dict[str, Any]]:
    """Those that do something, with what they are there for."""
    return [
        {
            "name": op.name,
            "type": op.type,
            "role": op.role.value,
            "flops": op.flops,
            "bytes": op.bytes,
            "us": op.seconds * 1e6,
        }
        for op in profile.ops
        if op.seconds and _layer_of(op.name) == layer
    ]


def _kernel(
    kernel: Any, code: str, times: Mapping[tuple[str, ...], float], peak: Any
) -> dict[str, Any]:
    seconds = times.get(tuple(_named(kernel)), 0.0)
    least = peak.seconds(kernel.flops, kernel.bytes) if peak is not None else 0.0
    formulas = [line.strip() for line in kernel.formulas if not line.endswith(":")]
    return {
        "operations": _named(kernel),
        "formula": "\n".join(formulas),
        "loops": "\n".join(kernel.formulas),
        "tile": kernel.tile,
        "flops": kernel.flops,
        "bytes": kernel.bytes,
        "us": seconds * 1e6,
        "peak": least / seconds if seconds else None,
        "assembly": code[:LONGEST_CODE],
    }


def _times(profile: tf.Profile) -> dict[tuple[str, ...], float]:
    """The mean time of each kernel in seconds, by what it computes."""
    times = dict[tuple[str, ...], float]()
    for trace in profile.traces:
        for unit in trace.units:
            times[unit.ops] = times.get(unit.ops, 0.0) + unit.seconds / len(profile.traces)
    return times


def _named(kernel: Any) -> list[str]:
    """The operations of the graph that a kernel computes."""
    return [name for name, kind in zip(kernel.ops, kernel.types, strict=True) if kind]


def _layer_of(name: str) -> int | None:
    """The layer that an operation belongs to."""
    if found := LAYER.search(name):
        return int(found[1])
    return 0 if FEATURES.search(name) else None
