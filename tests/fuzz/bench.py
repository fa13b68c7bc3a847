"""What the generator's programs are written with: inputs with seeds, gradients, and the check.

A program is a few lines of Python that anyone can run:

    import thalweg as tf
    from tests.fuzz.bench import Bench

    b = Bench()
    v0 = b.feed([None, 7], "float32", 0)
    v1 = tf.tanh(v0)
    v2 = b.gradients([v1], [v0])
    b.check([v1, *v2], sizes=[3, 17])
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

import thalweg as tf
from tests.fuzz.reference import Array, Expected, Inputs, Reference, epsilon, expected, mismatch
from thalweg.base.dtypes import as_dtype
from thalweg.graph import Graph, Operation, Tensor
from thalweg.ops.arrays.constant import Placeholder
from thalweg.ops.catalogue import BY_TYPE
from thalweg.passes import stages

STEP = 1e-4  # of differences; their error by curvature is about its square
FLAT = 1e-3  # how far a derivative may be off, relative to the terms that it is summed from


class WrongResultError(AssertionError):
    """A backend computes something else than the graph means."""


@dataclass(frozen=True)
class Source:
    """How the array of an input is made.

    Attributes:
        shape: None stands for the open extent.
        dtype: its name.
        seed: of the numbers.
        low: of integers, the least; of others not used.
        high: one more than the largest.
    """

    shape: tuple[int | None, ...]
    dtype: str
    seed: int
    low: int = -3
    high: int = 4

    def array(self, size: int) -> Array:
        """The array for an open extent of that size."""
        rng = np.random.default_rng((self.seed, size))
        shape = tuple(size if extent is None else extent for extent in self.shape)
        kind = as_dtype(self.dtype)
        if kind.is_floating:
            return np.asarray(rng.normal(size=shape)).astype(kind.numpy)
        low = 0 if kind.is_bool or self.dtype.startswith("u") else self.low
        return rng.integers(low, max(self.high, low + 1), shape).astype(kind.numpy)


class Bench:
    """A graph under test with its inputs: the default graph unless given."""

    def __init__(self, graph: Graph | None = None) -> None:
        self.graph = tf.get_default_graph() if graph is None else graph
        self._feeds: dict[Tensor, Source] = {}
        self._given: dict[Tensor, Array] = {}
        self._variables: dict[str, Array] = {}
        self._handles: list[tf.Variable] = []
        self._updates: list[Tensor] = []
        self._derivatives: list[tuple[list[Tensor], list[Tensor], list[Tensor]]] = []

    # -- what programs are made of

    def feed(
        self, shape: Sequence[int | None], dtype: str, seed: int, low: int = -3, high: int = 4
    ) -> Tensor:
        """A placeholder."""
        tensor = tf.placeholder(dtype, list(shape))
        self._feeds[tensor] = Source(tuple(shape), dtype, seed, low, high)
        return tensor

    def constant(
        self, shape: Sequence[int], dtype: str, seed: int, low: int = -3, high: int = 4
    ) -> Tensor:
        """A constant."""
        return tf.constant(Source(tuple(shape), dtype, seed, low, high).array(0), dtype)

    def variable(self, shape: Sequence[int], dtype: str, seed: int) -> tf.Variable:
        """A variable."""
        array = Source(tuple(shape), dtype, seed).array(0)
        made = tf.Variable(array, dtype=dtype)
        self._variables[made.op.name] = array
        self._handles.append(made)
        return made

    def update(self, variable: tf.Variable, value: Tensor) -> Tensor:
        """The variable gets a new value in every run."""
        made: Tensor = tf.assign(variable, value)
        self._updates.append(made)
        return made

    def sample(self, type_name: str, number: int, *inputs: Any) -> Tensor:
        """The first floating output of a record's sample.

        Args:
            type_name: of the record.
            number: of the sample.
            inputs: a tensor to take in place of the sample's array, or None.
        """
        sample = list(BY_TYPE[type_name].samples())[number]
        arrays = sample.arrays()
        given = [*inputs, *[None] * (len(arrays) - len(inputs))]
        tensors = [
            self._like(array, tensor, n in sample.op.static)
            for n, (array, tensor) in enumerate(zip(arrays, given, strict=True))
        ]
        outputs = self.graph.add(sample.op, tensors).outputs
        return next((y for y in outputs if y.dtype.is_floating), outputs[0])

    def _like(self, array: Array, tensor: Tensor | None, static: bool) -> Tensor:
        """A tensor of the array's shape and range, with elements of the one that is given."""
        if tensor is None:
            if static:
                return tf.constant(array)
            fed = self.graph.add(Placeholder(as_dtype(array.dtype), array.shape)).outputs[0]
            self._given[fed] = array
            return fed
        flat = tf.pad(tf.reshape(tensor, [-1]), [[0, array.size]])[: array.size]
        low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 1.0)
        return tf.reshape(tf.sigmoid(flat) * (high - low) + low, list(array.shape))

    def gradients(self, ys: Sequence[Tensor], xs: Sequence[Any], squared: bool = True) -> Any:
        """The gradients of a loss by what it depends on."""
        terms = [tf.square(y - 0.3) if squared else y * 0.7 for y in ys]
        made = tf.gradients(terms, list(xs))
        pairs = [(x, g) for x, g in zip(xs, made, strict=True) if g is not None]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that slices become large
            found = [tf.convert_to_tensor(g) for _, g in pairs]
        handles = [x.handle if isinstance(x, tf.Variable) else x for x, _ in pairs]
        self._derivatives.append((terms, handles, found))
        return found

    # -- the check

    def inputs(self, size: int) -> Inputs:
        """What a run with the open extent of that size is given."""
        fed = {tensor: source.array(size) for tensor, source in self._feeds.items()}
        return Inputs({**fed, **self._given}, dict(self._variables))

    def check(
        self,
        fetches: Sequence[Any],
        sizes: Sequence[int] = (3,),
        fed: Sequence[Tensor] = (),
        steps: int = 1,
        threads: int = 1,
        loop: int = 0,
    ) -> None:
        """Every backend computes what the graph means.

        Args:
            fetches: what to compute.
            sizes: of the open extent, in turn.
            fed: computed tensors that are fed with something else.
            steps: runs with each size.
            threads: of the native backend.
            loop: steps of a loop that takes mini-batches of the first size, after all this.

        Raises:
            WrongResultError: if one does not.
        """
        wanted = [tf.convert_to_tensor(fetch) for fetch in fetches]
        with np.errstate(all="ignore"):
            for backend, own in (("llvm", sizes), ("numpy", sizes[:1])):
                config = tf.ConfigProto(backend=backend, intra_op_parallelism_threads=threads)
                with tf.Session(graph=self.graph, config=config) as session:
                    run = _Run(self, session, backend, wanted, fed)
                    run.sizes(own, steps)
                    if loop and sizes[0]:
                        run.loop(sizes[0], loop)
            if len(self.graph.operations) % 3 == 0:  # some of them: it takes as long again
                with staged(), tf.Session(graph=self.graph) as session:
                    _Run(self, session, "stages", wanted, fed).sizes(sizes, steps)
            self._check_derivatives(sizes[0])

    def _check_derivatives(self, size: int) -> None:
        """Gradients are those of differences, where the function has no kink."""
        if any(op.type == "Cast" for op in self.graph.operations):
            return  # which rounds, also in the reference
        for terms, xs, made in self._derivatives:
            for x, gradient in zip(xs, made, strict=True):
                _check_derivative(self.inputs(size), terms, x, gradient)


class _Run:
    """The runs of a program in one session."""

    def __init__(
        self,
        bench: Bench,
        session: tf.Session,
        backend: str,
        fetches: Sequence[Tensor],
        fed: Sequence[Tensor],
    ) -> None:
        self._bench, self._session, self._backend = bench, session, backend
        self._fetches, self._fed = list(fetches), list(fed)
        self._state = dict(bench._variables)
        self._runs = 0

    def sizes(self, sizes: Sequence[int], steps: int) -> None:
        for size in sizes:
            for step in range(steps):
                if not self._step(size, f"size {size}, step {step}, {self._backend}"):
                    break

    def loop(self, size: int, steps: int) -> None:
        """Make steps in one call, each with other rows of what has an open extent."""
        opened = {t: s for t, s in self._bench._feeds.items() if None in s.shape}
        if any(s.shape[0] is not None or None in s.shape[1:] for s in opened.values()):
            return
        rows = 2 * size + 1
        arrays = {tensor: source.array(rows) for tensor, source in opened.items()}
        whole = self._bench.inputs(size).fed
        feeds = {t: a for t, a in whole.items() if t not in opened}
        taken = [(np.arange(size) + step * size) % rows for step in range(steps)]
        each = [{**feeds, **{t: a[at] for t, a in arrays.items()}} for at in taken]
        tensors, where = self._tensors, f"loop of size {size}, {self._backend}"
        try:
            expected(tensors, Inputs(each[0], self._state, self._runs), trials=0)
        except Exception:
            return  # the shapes do not fit
        batch: dict[str, Any] = (
            {"batches": arrays, "batch_size": size, "shuffle": False} if arrays else {}
        )
        try:
            values = self._session.run_steps(tensors, steps, feeds, **batch)
        except tf.errors.ThalwegError as error:
            raise WrongResultError(f"{where}: refused: {error}") from error
        for step, fed in enumerate(each):
            inputs = Inputs(fed, dict(self._state), self._runs + step)
            made = [np.asarray(value[step]) for value in values]
            self._compare_all(made, inputs, f"{where}, step {step}")
            for tensor, value in zip(tensors, made, strict=True):
                if tensor in self._bench._updates:
                    self._state[tensor.op.inputs[0].op.name] = value

    @property
    def _tensors(self) -> list[Tensor]:
        return [*self._fetches, *self._bench._updates]

    def _compare_all(self, values: Sequence[Any], inputs: Inputs, where: str) -> None:
        wanted = expected(self._tensors, inputs)
        for tensor, value, want in zip(self._tensors, values, wanted, strict=True):
            self._compare(tensor, value, want, inputs, where)

    def _inputs(self, size: int) -> Inputs:
        inputs = self._bench.inputs(size)
        inputs = Inputs(inputs.fed, self._state, self._runs)
        if self._fed:
            exact = Reference(inputs)
            changed = {t: self._changed(t, exact.value(t)) for t in self._fed}
            inputs = Inputs({**inputs.fed, **changed}, self._state, self._runs)
        return inputs

    @staticmethod
    def _changed(tensor: Tensor, value: Array) -> Array:
        moved = value * 0.75 + 0.125 if tensor.dtype.is_floating else value
        return np.asarray(moved).astype(tensor.dtype.numpy)

    def _step(self, size: int, where: str) -> bool:
        """Whether the graph can be run with that size."""
        try:
            inputs = self._inputs(size)
            expected(self._tensors, inputs, trials=0)
        except Exception:
            return False  # the shapes do not fit
        try:
            values = self._session.run(self._tensors, dict(inputs.fed))
        except tf.errors.ThalwegError as error:
            raise WrongResultError(f"{where}: refused: {error}") from error
        self._runs += 1
        self._compare_all(values, inputs, where)
        for variable in self._bench._handles:
            self._state[variable.op.name] = np.asarray(self._session.run(variable))
            self._runs += 1
        return True

    def _compare(
        self, tensor: Tensor, value: Any, want: Expected, inputs: Inputs, where: str
    ) -> None:
        array = np.asarray(value)
        if array.dtype != tensor.dtype.numpy:
            raise WrongResultError(f"{where}: {tensor.name} is {array.dtype}")
        if mismatch(array, want) is None:
            return
        # A jump that three trials did not find: try more of them, and larger ones.
        again = expected([tensor], inputs, trials=24, scale=8)[0]
        if (problem := mismatch(array, again)) is not None:
            raise WrongResultError(f"{where}: {tensor.name} = {tensor.op.type}: {problem}")


@contextmanager
def staged() -> Iterator[None]:
    """Have Python run every fifth operation, by its name, so that runs are cut everywhere."""
    usual = stages.is_host

    def is_host(op: Operation, used: set[Tensor]) -> bool:
        may = op.record.origin is None and op.record.effects.pure and bool(op.outputs)
        return usual(op, used) or (may and zlib.crc32(op.name.encode()) % 5 == 0)

    stages.is_host = is_host
    try:
        yield
    finally:
        stages.is_host = usual


def _check_derivative(inputs: Inputs, terms: Sequence[Tensor], x: Tensor, made: Tensor) -> None:
    rng = np.random.default_rng(0)
    exact = Reference(inputs)
    base = np.asarray(exact.value(x))
    way = np.asarray(rng.uniform(-1, 1, base.shape))
    parts = exact.value(made) * way
    slope = float(parts.sum())

    def loss(step: float) -> float:
        fed = {**inputs.fed, x: base + step * way}
        there = Reference(Inputs(fed, inputs.state, inputs.counter))
        return float(sum(there.value(term).sum() for term in terms))

    low, middle, high = loss(-STEP), loss(0), loss(STEP)
    left, right = (middle - low) / STEP, (high - middle) / STEP
    near = (loss(STEP / 2) - loss(-STEP / 2)) / STEP
    scale = max(abs(left), abs(right), float(np.abs(parts).sum()), 1e-6)
    smooth = abs(left - right) < FLAT * scale and abs(near - (left + right) / 2) < FLAT * scale
    rounding = epsilon(np.dtype(np.float64)) * abs(middle) / STEP
    if smooth and np.isfinite(slope) and abs(near - slope) > FLAT * scale + 64 * rounding:
        raise WrongResultError(
            f"the derivative by {x.name} is {slope}, by differences {near} +- {FLAT * scale}"
        )
