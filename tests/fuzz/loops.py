"""Random programs of loops and branches in each other: native code against the reference.

All values are float64 tiles of one shape, and sequences of such tiles whose length is open. Every
statement keeps them small, so that a difference stays one and does not grow into chaos.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

import thalweg as tf
from tests.fuzz.bench import WrongResultError
from thalweg.graph import Tensor

Array = np.ndarray[Any, Any]

SHAPE = (3, 4)
LENGTHS = (3, 1, 6, 0)
DEEPEST = 3  # how many loops and branches are in each other at most
STATEMENTS = (2, 4)  # in each body
# Some hundred operations on numbers of about 1, each off by 1e-16 or so; gradients may be larger.
TOLERANCE = 1e-9


class Values:
    """What a body can use: tiles, sequences, and how deep it is."""

    def __init__(self, tiles: list[Tensor], sequences: list[Tensor], depth: int) -> None:
        self.tiles, self.sequences, self.depth = tiles, sequences, depth

    def inside(self, tiles: list[Tensor]) -> Values:
        """The same for a body that has some tiles of its own."""
        return Values([*self.tiles, *tiles], list(self.sequences), self.depth + 1)


class RandomLoops:
    """A program.

    Args:
        seed: two programs of one seed are the same.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._numbers = np.random.default_rng(seed)
        self._has_gradients = self._random.random() < 0.5
        self._variable: Any = None
        self._count: Any = None

    def run(self) -> None:
        """Run it on both backends, with several lengths.

        Raises:
            WrongResultError: native code computes something else.
        """
        threads = self._random.choice((1, 2, 3))
        with tf.Graph().as_default():
            fetches, feeds = self._build()
            native = tf.ConfigProto(backend="native", intra_op_parallelism_threads=threads)
            reference = tf.ConfigProto(backend="reference")
            with tf.Session(config=native) as one, tf.Session(config=reference) as other:
                for session in (one, other):
                    session.run(tf.global_variables_initializer())
                for length in LENGTHS:
                    fed = {t: make(length) for t, make in feeds.items()}
                    self._compare(one.run(fetches, fed), other.run(fetches, fed), length)

    @staticmethod
    def _compare(made: list[Array], right: list[Array], length: int) -> None:
        for number, (a, b) in enumerate(zip(made, right, strict=True)):
            if a.shape != b.shape or not np.allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE):
                raise WrongResultError(f"result {number} for length {length}:\n{a}\nnot\n{b}")

    def _build(self) -> tuple[list[Tensor], dict[Tensor, Callable[[int], Array]]]:
        """The fetches, and what makes the feeds for a length."""
        x = tf.placeholder(tf.float64, [None, *SHAPE])
        y = tf.placeholder(tf.float64, SHAPE)
        self._count = tf.placeholder(tf.int32, [])
        self._variable = tf.Variable(self._tile())
        values = Values([y, self._variable, tf.constant(self._tile())], [x], 0)
        for _ in range(self._random.randint(3, 6)):
            self._statement(values)
        feeds: dict[Tensor, Callable[[int], Array]] = {
            x: lambda length: self._numbers.uniform(-1, 1, (length, *SHAPE)),
            y: lambda length: self._tile(),
            self._count: lambda length: np.array(length, np.int32),
        }
        wanted = self._random.sample(values.tiles[3:], min(len(values.tiles) - 3, 3))
        wanted += self._random.sample(values.sequences, min(len(values.sequences), 2))
        if self._has_gradients:
            made = tf.gradients(wanted, [x, y])
            wanted += [gradient for gradient in made if gradient is not None]
        return [*wanted, tf.identity(self._variable)], feeds

    def _tile(self) -> Array:
        return self._numbers.uniform(-1, 1, SHAPE)

    def _body(self, values: Values) -> Tensor:
        """Some statements; what the last one makes."""
        for _ in range(self._random.randint(*STATEMENTS)):
            self._statement(values)
        return values.tiles[-1]

    def _statement(self, values: Values) -> None:
        """Add a tile, and perhaps a sequence, to the values."""
        plain = [self._pointwise, self._product, self._rows, self._drawn]
        held = [self._scan, self._map, self._fold, self._while, self._branch, self._assign]
        nests = values.depth < DEEPEST and self._random.random() < 0.6
        values.tiles.append(self._random.choice(held if nests else plain)(values))

    def _any(self, values: Values) -> Tensor:
        return self._random.choice(values.tiles)

    # -- straight statements

    def _pointwise(self, values: Values) -> Tensor:
        a, b = self._any(values), self._any(values)
        choices = (
            lambda: tf.tanh(a * 0.7 + b),
            lambda: a * 0.5 - b * 0.25,
            lambda: tf.where(a > b, a * 0.9, b - tf.reduce_mean(a) * 0.5),
            lambda: tf.sigmoid(a) * b,
            lambda: tf.cast(tf.cast(a * 3.0, tf.int32), tf.float64) * 0.1 + b * 0.5,
        )
        return self._random.choice(choices)()

    def _product(self, values: Values) -> Tensor:
        a, b, c = (self._any(values) for _ in range(3))
        return tf.tanh(tf.matmul(tf.matmul(a, b, transpose_b=True), c) * 0.3)

    def _rows(self, values: Values) -> Tensor:
        a, b = self._any(values), self._any(values)
        choices = (
            lambda: tf.concat([a[:1], b[1:]], axis=0),
            lambda: tf.gather(a, [2, 0, 1]) * 0.8,
            lambda: a / (1.0 + tf.reduce_sum(tf.abs(b), axis=1, keepdims=True)),
            lambda: tf.reshape(tf.transpose(a), SHAPE) + 0.1,
        )
        made: Tensor = self._random.choice(choices)()
        return made

    def _drawn(self, values: Values) -> Tensor:
        noise = tf.random_uniform(SHAPE, dtype=tf.float64, seed=self._random.randrange(100))
        return self._any(values) * 0.5 + noise * 0.1

    # -- loops and branches

    def _scan(self, values: Values) -> Tensor:
        sequence, first = self._random.choice(values.sequences), self._any(values)
        reverse = self._random.random() < 0.5
        if self._random.random() < 0.5:
            made = tf.scan(self._pair(values), sequence, first, reverse=reverse)
        else:
            both = (first, self._any(values))
            made, more = tf.scan(self._two(values), sequence, both, reverse=reverse)
            values.sequences.append(more)
        values.sequences.append(made)
        return tf.tanh(tf.reduce_sum(made, axis=0))

    def _pair(self, values: Values) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda a, x: self._small(self._body(values.inside([a, x])))

    def _two(self, values: Values) -> Callable[[Any, Tensor], Any]:
        def step(pair: Any, x: Tensor) -> Any:
            a, b = pair
            inner = values.inside([a, b, x])
            made = self._small(self._body(inner))
            return (b, made) if self._random.random() < 0.5 else (made, self._any(inner) * 0.9)

        return step

    def _map(self, values: Values) -> Tensor:
        sequence = self._random.choice(values.sequences)
        made = tf.map_fn(lambda x: self._small(self._body(values.inside([x]))), sequence)
        values.sequences.append(made)
        return tf.tanh(tf.reduce_sum(made, axis=0))

    def _fold(self, values: Values) -> Tensor:
        sequence, first = self._random.choice(values.sequences), self._any(values)
        fold = self._random.choice((tf.foldl, tf.foldr))
        made: Tensor = fold(self._pair(values), sequence, first)
        return made

    def _while(self, values: Values) -> Tensor:
        limit = self._random.choice((0, 1, 3, self._count))
        # A loop in a loop cannot collect another number of values each time, for its gradient.
        is_even = self._has_gradients and values.depth > 0
        most = None if is_even else self._random.choice((None, 0.5, 3.0))

        def goes_on(i: Tensor, a: Tensor, b: Tensor) -> Tensor:
            counted = i < limit
            return counted if most is None else tf.logical_and(counted, tf.reduce_sum(a) < most)

        def step(i: Tensor, a: Tensor, b: Tensor) -> Any:
            inner = values.inside([a, b, a * tf.cast(i, tf.float64) * 0.1])
            return i + 1, self._small(self._body(inner)), a

        start = [tf.constant(0), self._any(values), self._any(values)]
        _, a, b = tf.while_loop(goes_on, step, start)
        made: Tensor = a * 0.6 + b * 0.3
        return made

    def _branch(self, values: Values) -> Tensor:
        asked = tf.reduce_sum(self._any(values)) > self._random.uniform(-1, 1)
        made: Tensor = tf.cond(
            asked,
            lambda: self._small(self._body(values.inside([]))),
            lambda: self._small(self._body(values.inside([]))),
        )
        return made

    def _assign(self, values: Values) -> Tensor:
        update = self._variable.assign(tf.tanh(self._variable * 0.5 + self._any(values)))
        with tf.control_dependencies([update]):
            made: Tensor = tf.identity(self._variable) * 0.5
        return made

    @staticmethod
    def _small(tile: Tensor) -> Tensor:
        """A tile of numbers from -1 to 1."""
        made: Tensor = tf.tanh(tf.identity(tile))
        return made
