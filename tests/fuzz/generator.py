"""Random programs: lines of Python that are built, and evaluated by the reference, one by one.

A line that cannot be built, or whose values are not finite or grow too large, is left out. So each
operation may ask for what it likes, and what comes out is a program that ought to work.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

import thalweg as tf
from tests.fuzz.bench import Bench
from tests.fuzz.reference import Array, Reference
from thalweg.base.errors import ThalwegError
from thalweg.graph import Graph, Tensor

LARGEST = 30_000  # elements of a value
EXTENTS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33]  # around the lanes of all vectors
LIMITS = {"float64": 1e4, "float32": 1e3, "float16": 60.0, "bfloat16": 60.0}
NAMES = re.compile(r"\bv\d+\b")


@dataclass(frozen=True)
class Line:
    """An assignment; its code names those that it needs."""

    name: str
    code: str

    @property
    def needs(self) -> set[str]:
        return set(NAMES.findall(self.code))


@dataclass(frozen=True)
class Program:
    """A program as text.

    Attributes:
        lines: in order.
        fetches: names.
        options: the other arguments of `check`.
    """

    lines: tuple[Line, ...]
    fetches: tuple[str, ...]
    options: str

    @property
    def text(self) -> str:
        """The whole program, which anyone can run."""
        body = "\n".join(f"{line.name} = {line.code}" for line in self.lines)
        return (
            "import thalweg as tf\nfrom tests.fuzz.bench import Bench\n\nb = Bench()\n"
            f"{body}\nb.check([{', '.join(self.fetches)}], {self.options})\n"
        )

    def run(self) -> None:
        """Build it and check it.

        Raises:
            WrongResultError: if a backend does not compute what the graph means.
        """
        tf.reset_default_graph()
        scope = {"tf": tf, "b": Bench()}
        for line in self.lines:
            scope[line.name] = eval(line.code, scope)
        exec(f"b.check([{', '.join(self.fetches)}], {self.options})", scope)

    def without(self, name: str) -> Program:
        """The program without a line and all that needs it."""
        gone = {name}
        kept = []
        for line in self.lines:
            if line.name in gone or line.needs & gone:
                gone.add(line.name)
            else:
                kept.append(line)
        fetches = tuple(f for f in self.fetches if NAMES.findall(f)[0] not in gone)
        return replace(self, lines=tuple(kept), fetches=fetches)


@dataclass(frozen=True)
class Named:
    """A value of a program that is being made."""

    name: str
    tensor: Tensor
    array: Array
    leaf: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """For the first size of the open extent."""
        return tuple(self.array.shape)

    @property
    def static(self) -> tuple[int | None, ...]:
        return tuple(self.tensor.static_shape or ())

    @property
    def rank(self) -> int:
        return self.array.ndim

    @property
    def floating(self) -> bool:
        return bool(self.tensor.dtype.is_floating)

    @property
    def largest(self) -> float:
        return float(np.abs(self.array).max(initial=0)) if self.floating else 0.0


Code: TypeAlias = str | Named | None  # of a line; what is no text stands for no line


class Generator:
    """Makes one program.

    Args:
        seed: of everything about it.

    Attributes:
        random: the source of all choices.
        dtype: of most values.
        size: the first size of the open extent; None if there is no such extent.
        values: what the program has computed so far.
    """

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.dtype = self.choose(["float32"] * 6 + ["float64"] * 2 + ["float16", "bfloat16"])
        self.open = self.chance(0.4)
        self.size = int(self.choose([0, 1, 2, 3, 4, 5, 7, 8, 16, 17]))
        self.values: list[Named] = []
        self.lines: list[Line] = []
        self.bench = Bench(Graph())
        self._scope: dict[str, Any] = {"tf": tf, "b": self.bench}
        self._reference: Reference | None = None
        self._count = 0

    # -- choices

    def chance(self, probability: float) -> bool:
        return bool(self.random.random() < probability)

    def choose(self, items: Sequence[Any]) -> Any:
        return items[int(self.random.integers(len(items)))]

    def integer(self, low: int, high: int) -> int:
        """From low to high, both included."""
        return int(self.random.integers(low, high + 1))

    def extent(self, most: int = 33) -> int:
        """Of an axis."""
        if self.chance(0.04):
            return 0
        return int(self.choose([n for n in EXTENTS if n <= most]))

    def seed(self) -> int:
        return self.integer(0, 9999)

    def pick(self, suits: Callable[[Named], bool] = lambda v: v.floating) -> Named | None:
        """A value that suits, rather a late one."""
        found = [v for v in self.values if suits(v)]
        if not found:
            return None
        back = int(self.random.exponential(2.5))
        return found[-1 - min(back, len(found) - 1)]

    # -- lines

    def add(self, code: Code) -> Named | None:
        """Add a line; None if it does not work."""
        if not isinstance(code, str):
            return None
        name = f"v{self._count}"
        try:
            with self.bench.graph.as_default():
                made = eval(code, self._scope)
                named = self._named(name, made, code)
        except (ThalwegError, NotImplementedError):
            return None
        if not named:
            return None
        self._count += 1
        self._scope[name] = made
        self.lines.append(Line(name, code))
        self.values.extend(named)
        return named[0]

    def _named(self, name: str, made: Any, code: str) -> list[Named]:
        """The values of a line, none if one of them is of no use."""
        several = isinstance(made, list | tuple)
        found = []
        for n, one in enumerate(made if several else [made]):
            tensor = tf.convert_to_tensor(one)
            array = self._value(tensor)
            if array is None:
                return []
            leaf = code.startswith(("b.feed", "b.constant", "b.variable"))
            found.append(Named(f"{name}[{n}]" if several else name, tensor, array, leaf))
        return found

    def _value(self, tensor: Tensor) -> Array | None:
        if tensor.static_shape is None:
            return None
        inputs = self.bench.inputs(self.size)
        if self._reference is None:
            self._reference = Reference(inputs)
        self._reference.give(inputs)
        try:
            array = self._reference.value(tensor)
        except ValueError:  # NumPy refuses the values: the largest of none, say
            return None
        if array.dtype == object:  # strings, which nothing computes with
            return None
        if array.size > LARGEST or not np.isfinite(array.astype(np.float64)).all():
            return None
        limit = LIMITS.get(str(tensor.dtype.name), np.inf)
        return None if np.abs(array).max(initial=0) > limit else array

    def leaf(self, shape: Sequence[int | None], dtype: str | None = None, kind: str = "") -> str:
        """The code of an input."""
        kinds = ["feed"] if None in shape else ["feed", "feed", "constant", "variable"]
        chosen = kind or self.choose(kinds)
        return f"b.{chosen}({list(shape)}, {dtype or self.dtype!r}, {self.seed()})"

    def input(self, shape: Sequence[int | None], kind: str = "") -> Named | None:
        """A new input."""
        return self.add(self.leaf(shape, None, kind))
