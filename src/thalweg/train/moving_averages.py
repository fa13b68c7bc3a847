"""Moving averages of variables, whose values often serve better than the last ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from thalweg.base.errors import DTypeError, GraphError
from thalweg.graph import Graph, Operation, Tensor, default_graph
from thalweg.graph.keys import GraphKeys
from thalweg.ops.arrays.create import fill
from thalweg.ops.build import convert
from thalweg.ops.control.control import group
from thalweg.ops.elementwise.conversion import cast
from thalweg.ops.elementwise.extremes import minimum
from thalweg.ops.elementwise.power import pow
from thalweg.ops.state.variable import Variable


class ExponentialMovingAverage:
    """Averages in which older values count less and less.

        average = tf.train.ExponentialMovingAverage(decay=0.99)
        with tf.control_dependencies([train]):
            step = average.apply([W])
        smooth = average.average(W)

    Each run of `apply` sets `average -= (1 - decay) * (average - value)`.

    Args:
        decay: between 0 and 1, close to 1 as a rule.
        num_updates: counts the runs; then the decay is `min(decay, (1 + n) / (10 + n))`, which lets
            averages move faster at the beginning.
        zero_debias: whether averages of tensors, which begin at 0, are corrected for that.
        name: of the operations, and of the averages.
    """

    def __init__(
        self,
        decay: Any,
        num_updates: Any = None,
        zero_debias: bool = False,
        name: str = "ExponentialMovingAverage",
    ) -> None:
        self._decay, self._num_updates = decay, num_updates
        self._zero_debias, self._name = zero_debias, name
        self._averages: dict[Any, Variable] = {}

    @property
    def name(self) -> str:
        """Of the operations, and of the averages."""
        return self._name

    def apply(self, var_list: Iterable[Any] | None = None) -> Operation:
        """An operation that updates the averages. They are made at the first call.

        Args:
            var_list: variables, whose averages begin at their initial values, and tensors, whose
                averages begin at 0; by default the trainable variables.

        Raises:
            TypeError: for something that is not floating.
        """
        graph = default_graph().root
        if var_list is None:
            var_list = graph.get_collection(GraphKeys.TRAINABLE_VARIABLES)
        every = list(var_list)
        corrected = {id(one) for one in every if self._zero_debias and isinstance(one, Tensor)}
        with graph.name_scope(None), graph.control_dependencies(None):
            for one in every:
                self._make_average(graph, one)
        with graph.name_scope(self._name) as scope:
            decay = self._current_decay()
            updates = [
                self._corrected_update(graph, one, decay)
                if id(one) in corrected
                else self._update(self._averages[one], one, decay)
                for one in every
            ]
            return group(*updates, name=scope)

    def average(self, var: Any) -> Variable | None:
        """The variable that holds the average of a variable or tensor; None if there is none."""
        return self._averages.get(var)

    def average_name(self, var: Any) -> str:
        """The name of that variable, in checkpoints too, whether it is there or not."""
        if var in self._averages:
            return self._averages[var].op.name
        return default_graph().unique_name(f"{var.op.name}/{self._name}", mark_as_used=False)

    def variables_to_restore(
        self, moving_avg_variables: Iterable[Variable] | None = None
    ) -> dict[str, Variable]:
        """For `tf.train.Saver`: each variable by the name of its average, the others by their own.

        Args:
            moving_avg_variables: those with averages; by default the trainable ones, and those that
                averages were made of.
        """
        graph = default_graph().root
        if moving_avg_variables is None:
            moving_avg_variables = [
                *graph.get_collection(GraphKeys.TRAINABLE_VARIABLES),
                *graph.get_collection(GraphKeys.MOVING_AVERAGE_VARIABLES),
            ]
        names = {self.average_name(one): one for one in dict.fromkeys(moving_avg_variables)}
        averaged = {one.op.name for one in names.values()}
        for one in graph.get_collection(GraphKeys.GLOBAL_VARIABLES):
            if one.op.name not in averaged and one.op.name not in names:
                names[one.op.name] = one
        return names

    def _make_average(self, graph: Graph, one: Any) -> None:
        if not isinstance(one, Variable | Tensor):
            raise TypeError(f"averages are of variables and tensors, not {one!r}")
        if not one.dtype.is_floating:
            raise DTypeError(f"The variables must be half, float, or double: {one.name}")
        if one in self._averages:
            return
        name = f"{one.op.name}/{self._name}"
        if isinstance(one, Variable):
            initial = one.initialized_value()
            graph.add_to_collection(GraphKeys.MOVING_AVERAGE_VARIABLES, one)
        else:
            initial = _zeros(one)
        with graph.colocate_with(one):
            made = Variable(initial, trainable=False, name=name)
        self._averages[one] = made

    def _current_decay(self) -> Tensor:
        decay = convert(self._decay, name="decay")
        if self._num_updates is None:
            return decay
        count = cast(_value(self._num_updates), decay.dtype)
        return minimum(decay, (1.0 + count) / (10.0 + count))

    @staticmethod
    def _update(average: Variable, one: Any, decay: Tensor) -> Tensor:
        old, rate = average.value_to_update(), cast(1.0 - decay, average.dtype)
        return average.assign(old - (old - _value(one)) * rate)

    def _corrected_update(self, graph: Graph, one: Tensor, decay: Tensor) -> Tensor:
        """The average divided by the share of it that values, and not the 0 before, make up."""
        average = self._averages[one]
        with graph.control_dependencies(None):
            biased = self._extra(average, "biased", one)
            count = self._extra(average, "local_step", convert(0.0, hint=one.dtype))
        biased_value = self._update(biased, one, decay)
        steps = count.assign(count.value_to_update() + 1.0)
        share = 1.0 - pow(cast(decay, one.dtype), steps)
        return average.assign(biased_value / share)

    @staticmethod
    def _extra(average: Variable, name: str, like: Tensor) -> Variable:
        with average.graph.name_scope(f"{average.op.name}/"):
            return Variable(_zeros(like), trainable=False, name=name)


def _value(one: Any) -> Tensor:
    """A value as of now: after the control dependencies in force."""
    return one.read_value() if isinstance(one, Variable) else convert(one)


def _zeros(like: Tensor) -> Tensor:
    if like.static_shape is None or None in like.static_shape:
        raise GraphError(f"the average of {like.name!r} needs a known shape")
    return fill(like.static_shape, convert(0.0, hint=like.dtype))
