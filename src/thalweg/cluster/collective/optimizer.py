"""An optimiser whose gradients, or variables, are averaged over all processes of a group."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from thalweg.base.errors import InvalidArgumentError
from thalweg.cluster.collective.compression import Compression, Compressor
from thalweg.cluster.collective.functions import all_reduce, allreduce
from thalweg.graph import Graph, IndexedSlices, Operation, Tensor
from thalweg.ops.build import convert
from thalweg.ops.control.branches import cond
from thalweg.ops.control.control import control_dependencies, group, no_op
from thalweg.ops.elementwise.comparison import equal
from thalweg.ops.host.collective import Report, group_of_process
from thalweg.ops.state.variable import Variable
from thalweg.train import Optimizer
from thalweg.train.optimizer import GradAndVar, Update

__all__ = ["DistributedOptimizer"]


class DistributedOptimizer(Optimizer):
    """Synchronous training by several processes, each on mini-batches of its own.

        optimizer = cluster.DistributedOptimizer(tf.train.AdamOptimizer(1e-4))
        train_step = optimizer.minimize(loss)

    The gradients are averaged over all processes before the optimiser applies them, in one
    all-reduce a step. All processes must make the same number of steps, and begin with the same
    variables: see `broadcast_global_variables`.

    With `local_steps=k` each process trains alone, and after every k steps the trained variables
    are averaged. This needs a k-th of the network, and each process needs to wait for the others
    less often. The optimiser's slots stay each process's own.
    Source: Stich, Local SGD Converges Fast and Communicates Little, 2019.

    Args:
        optimizer: what to do with the gradients.
        name: of the operations; by default "Distributed" and the optimiser's.
        use_locking: of no effect.
        device_dense: of no effect, as the next one; kept for Horovod's programs.
        device_sparse: see `device_dense`.
        compression: one of `cluster.Compression`.
        sparse_as_dense: whether to add `IndexedSlices` as dense tensors.
        local_steps: after how many steps the processes come together.

    Raises:
        InvalidArgumentError: `local_steps` is below 1, or is given with a compression.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        name: str | None = None,
        use_locking: bool = False,
        device_dense: str = "",
        device_sparse: str = "",
        compression: Compressor = Compression.none,
        sparse_as_dense: bool = False,
        local_steps: int = 1,
    ) -> None:
        if local_steps < 1:
            raise InvalidArgumentError(f"local_steps must be at least 1; it is {local_steps}")
        if local_steps > 1 and compression is not Compression.none:
            raise InvalidArgumentError("compression is of gradients, which local steps do not send")
        super().__init__(use_locking, name or f"Distributed{optimizer.get_name()}")
        self._optimizer, self._compression = optimizer, compression
        self._sparse_as_dense, self._local_steps = sparse_as_dense, local_steps
        self._reports: dict[Graph, Operation] = {}

    def compute_gradients(self, loss: Any, *args: Any, **kwargs: Any) -> list[GradAndVar]:
        """The mean over all processes of the gradients; see `Optimizer.compute_gradients`."""
        pairs = self._optimizer.compute_gradients(loss, *args, **kwargs)
        if group_of_process().size == 1:
            return pairs
        graph = pairs[0][1].graph
        with graph.as_default(), graph.name_scope(self.get_name()):
            self._reports[graph] = graph.add(Report(), [convert(loss)], "Report")
            return pairs if self._local_steps > 1 else self._averaged(pairs)

    def _averaged(self, pairs: Sequence[GradAndVar]) -> list[GradAndVar]:
        given = {n: g for n, (g, _) in enumerate(pairs) if g is not None}
        slices = {n: g for n, g in given.items() if self._is_sparse(g)}
        dense = {n: convert(g) for n, g in given.items() if n not in slices}
        means: dict[int, Any] = {n: allreduce(g) for n, g in slices.items()}
        means |= zip(dense, self._compression.means(list(dense.values())), strict=True)
        return [(means.get(n), variable) for n, (_, variable) in enumerate(pairs)]

    def _is_sparse(self, gradient: Any) -> bool:
        return isinstance(gradient, IndexedSlices) and not self._sparse_as_dense

    def apply_gradients(
        self,
        grads_and_vars: Iterable[tuple[Any, Variable]],
        global_step: Variable | None = None,
        name: str | None = None,
    ) -> Operation:
        """An operation that changes the variables; see `Optimizer.apply_gradients`."""
        pairs = list(grads_and_vars)
        update = self._optimizer.apply_gradients(pairs, global_step, name)
        if group_of_process().size == 1:
            return update
        report = [self._reports[update.graph]] if update.graph in self._reports else []
        if self._local_steps == 1:
            return group(update, *report)
        trained = [variable for gradient, variable in pairs if gradient is not None]
        return group(self._with_averages(update, trained), *report)

    def _with_averages(self, update: Operation, trained: Sequence[Variable]) -> Operation:
        """The update, and every few steps the mean of the variables."""
        graph = update.graph
        with graph.as_default(), graph.name_scope(self.get_name()):
            with graph.control_dependencies(None):
                steps = Variable(0, trainable=False, name="local_steps")
            with control_dependencies([update]):
                is_due = equal(steps.assign_add(1) % self._local_steps, 0)
                return group(update, cond(is_due, lambda: _average(trained), no_op))

    # -- what belongs to the optimiser inside

    def get_slot(self, var: Variable, name: str) -> Variable | None:
        """See `Optimizer.get_slot`."""
        return self._optimizer.get_slot(var, name)

    def get_slot_names(self) -> list[str]:
        """See `Optimizer.get_slot_names`."""
        return self._optimizer.get_slot_names()

    def variables(self) -> list[Variable]:
        """See `Optimizer.variables`."""
        return self._optimizer.variables()

    def _create_slots(self, var_list: Sequence[Variable]) -> None:
        raise AssertionError("the optimiser inside makes the slots")

    def _update(self, gradient: Tensor, variable: Variable, elements: Any) -> Update:
        raise AssertionError("the optimiser inside updates variables")


def _average(variables: Sequence[Variable]) -> Operation:
    """What sets variables to their means over all processes."""
    means = all_reduce([variable.read_value() for variable in variables], True, "AllReduce")
    pairs = zip(variables, means, strict=True)
    return group(*[variable.assign(mean) for variable, mean in pairs])
