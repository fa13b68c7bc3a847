"""A Thalweg graph as a model that can be measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import thalweg
from benchmarks.protocol import Model
from benchmarks.workloads.workload import Arrays

tf: Any = thalweg  # its names come from many modules; mypy takes them for private


class GraphModel(Model):
    """Trains in a session of its own, fed batch after batch.

    Args:
        loss: the loss of the batch, before the step.
        train: the operation that makes a step.
        variables: the weights, by their names in `arrays`.
        arrays: the weights' starting values.
        feeds: for each batch, the feeds of a training step.
        checked: the same without dropout.
        threads: how many the session may use.
    """

    def __init__(
        self,
        loss: Any,
        train: Any,
        variables: Mapping[str, Any],
        arrays: Arrays,
        feeds: Sequence[dict[Any, Any]],
        checked: Sequence[dict[Any, Any]],
        threads: int,
    ) -> None:
        self._loss = loss
        self._train = train
        self._feeds = feeds
        self._checked = checked
        self._values = {name: arrays[name] for name in variables}
        self._variables = variables
        config = tf.ConfigProto(intra_op_parallelism_threads=threads)
        self._session = tf.Session(config=config)
        self.reset()

    def reset(self) -> None:
        """Give the weights their starting values."""
        for name, variable in self._variables.items():
            self._session.load(variable, self._values[name])

    def check(self, batch: int) -> float:
        """Make a step without dropout; the loss before it."""
        feeds = self._checked[batch % len(self._checked)]
        loss, _ = self._session.run([self._loss, self._train], feeds)
        return float(loss)

    def loss(self) -> float:
        """The first batch's loss, without dropout and without a step."""
        return float(self._session.run(self._loss, self._checked[0]))

    def train(self, steps: int) -> None:
        """Make steps, from the first batch on."""
        run, train, feeds = self._session.run, self._train, self._feeds
        for i in range(steps):
            run(train, feeds[i % len(feeds)])
