"""Run small programs with an implementation of TensorFlow 1's API.

It imports neither Thalweg nor TensorFlow: a program is given the module that it uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, Any]
Program: TypeAlias = Callable[[Any, "Bench"], Any]
FAILED = "failed"  # the key of a program that raises an error


class Bench:
    """What a program uses beside the module `tf`.

    Attributes:
        feeds: the arrays of the placeholders.
        step: an operation that runs before the results are fetched.
        count: how often it runs.
    """

    def __init__(self, tf: Any) -> None:
        self._tf = tf
        self.feeds: dict[Any, Any] = {}
        self.step: Any = None
        self.count = 0

    def feed(self, value: Any, shape: Any = None) -> Any:
        """A placeholder for an array, whose shape is not known if none is given."""
        array = np.asarray(value)
        dtype = self._tf.string if array.dtype.kind in "SUO" else self._tf.as_dtype(array.dtype)
        tensor = self._tf.placeholder(dtype, shape)
        self.feeds[tensor] = array
        return tensor

    def slopes(self, ys: Any, *xs: Any) -> list[Any]:
        """The gradients as dense tensors; a text where there is none."""
        made = self._tf.gradients(ys, list(xs))
        return ["none" if g is None else self._tf.convert_to_tensor(g) for g in made]

    def with_slopes(self, ys: Any, *xs: Any) -> list[Any]:
        """The values, and the gradients of their squares."""
        listed = ys if isinstance(ys, list) else [ys]
        return [*listed, *self.slopes([y * y for y in listed], *xs)]

    def train(self, step: Any, count: int = 3) -> None:
        """Let an operation run so often before the results are fetched."""
        self.step, self.count = step, count


def numbers(*shape: int, seed: int = 0, dtype: Any = np.float32) -> Array:
    """Numbers from a normal distribution."""
    return np.asarray(np.random.RandomState(seed).standard_normal(shape), dtype)


def ints(*values: int) -> Array:
    """A vector of int32."""
    return np.array(values, np.int32)


def floats(*values: float) -> Array:
    """A vector of float32."""
    return np.array(values, np.float32)


def run(tf: Any, program: Program, config: Any = None) -> dict[str, Array]:
    """The results of a program by number, or what it fails with."""
    with tf.Graph().as_default(), tf.Session(config=config) as session:
        bench = Bench(tf)
        try:
            made = list(_flattened(program(tf, bench)))
            session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
            for _ in range(bench.count):
                session.run(bench.step, bench.feeds)
            tensors = [item for item in made if not isinstance(item, str)]
            values = iter(session.run(tensors, bench.feeds))
        except Exception as error:
            return {FAILED: np.array(f"{type(error).__name__}: {error}"[:300])}
        results = [item if isinstance(item, str) else next(values) for item in made]
    return {str(n): _plain(value) for n, value in enumerate(results)}


def _flattened(structure: Any) -> Iterator[Any]:
    if isinstance(structure, list | tuple):
        for item in structure:
            yield from _flattened(item)
    elif isinstance(structure, dict):
        yield from _flattened([structure[key] for key in sorted(structure)])
    else:
        yield structure


def _plain(value: Any) -> Array:
    """An array that can be stored without Python objects."""
    array = np.asarray(value)
    if array.dtype.kind != "O":
        return array
    made: Array = np.array([bytes(item) for item in array.flat], "S").reshape(array.shape)
    return made


def store(file: Any, results: Mapping[str, Array]) -> None:
    """Write results to an npz file."""
    entries: Any = results
    np.savez_compressed(file, **entries)


def run_all(tf: Any, programs: Iterable[tuple[str, Program]]) -> dict[str, Array]:
    """The results of all programs, by name and number."""
    return {
        f"{name}/{key}": value
        for name, program in programs
        for key, value in run(tf, program).items()
    }
