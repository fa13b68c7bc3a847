"""Random numbers, counter-based: element e of run r is a function of the seed, r and e alone.

So the same seed gives the same numbers for any number of threads, nothing has to be kept between
runs, and a number can be made again wherever it is needed. The generator is Philox 4x32 with 10
rounds (Salmon, Moraes, Dror and Shaw, Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011).

Distributions are written once, as functions of uniform numbers over a small set of functions, which
is either NumPy's (`evaluate`) or the formulas' (`lower`).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np

from thalweg.base import dtypes
from thalweg.base.dims import Dim
from thalweg.base.dtypes import DType, as_dtype
from thalweg.base.errors import DTypeError, InvalidArgumentError, ShapeError
from thalweg.base.record import Record
from thalweg.base.shapes import Shape, known, size, strides
from thalweg.formula import (
    Affine,
    Const,
    Expr,
    Formula,
    Lowered,
    Operand,
    Position,
    affine,
    apply,
    axes,
)
from thalweg.graph import Graph, Op, Operation, Sample, Spec, Tensor, default_graph
from thalweg.ops.arrays.constant import RunCounter
from thalweg.ops.arrays.create import zeros_like
from thalweg.ops.arrays.shape import known_dims
from thalweg.ops.build import constant_like, convert, emit
from thalweg.ops.elementwise import math as arithmetic
from thalweg.ops.elementwise.conversion import Cast, cast
from thalweg.ops.extents import computed_dims, planned_shape

Array: TypeAlias = np.ndarray[Any, Any]
Key: TypeAlias = tuple[int, int]

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)  # the golden ratio and sqrt 3 - 1, in 32 bits
_MASK = np.uint64(0xFFFFFFFF)


def philox4x32(counter: Sequence[Any], key: Sequence[int], rounds: int = 10) -> tuple[Array, ...]:
    """Four words of 32 random bits for each counter.

    Args:
        counter: four uint64 arrays that broadcast together, holding 32 bits each.
        key: two numbers of 32 bits, the seed.
        rounds: 10 is the authors' recommendation.

    Returns:
        Four uint64 arrays holding 32 bits each.
    """
    words: list[Array] = [np.asarray(c, np.uint64) for c in counter]
    c0, c1, c2, c3 = words
    k0, k1 = (int(k) & 0xFFFFFFFF for k in key)
    for _ in range(rounds):
        first, second = c0 * np.uint64(_MULTIPLIERS[0]), c2 * np.uint64(_MULTIPLIERS[1])
        c0, c2 = (
            (second >> np.uint64(32)) ^ c1 ^ np.uint64(k0),
            (first >> np.uint64(32)) ^ c3 ^ np.uint64(k1),
        )
        c1, c3 = second & _MASK, first & _MASK
        k0, k1 = (k0 + _WEYL[0]) & 0xFFFFFFFF, (k1 + _WEYL[1]) & 0xFFFFFFFF
    return c0, c1, c2, c3


def unit(key: Key, run: Any, element: Array, word: int, dtype: DType) -> Array:
    """Uniform numbers in [0, 1): the definition of the formula function `random_unit`.

    The words are those of Philox 4x32-10 for the key and the counter (low and high 32 bits of the
    element's row-major index, low and high 32 bits of the run's number). A float32 is made of one
    word w, `(w >> 8) * 2**-24`; a float64 of the words a and b at `2 * word` and `2 * word + 1`,
    `((a >> 5) * 2**26 + (b >> 6)) * 2**-53`.

    Args:
        key: two numbers of 32 bits.
        run: the number of the run, int64.
        element: row-major indices, int64.
        word: which of an element's numbers: 0 to 3 for float32, 0 or 1 for float64.
        dtype: float32 or float64.
    """
    e = np.asarray(element).astype(np.uint64)
    r = np.asarray(run).astype(np.uint64)
    words = philox4x32((e & _MASK, e >> np.uint64(32), r & _MASK, r >> np.uint64(32)), key)
    if dtype == dtypes.float32:
        return (words[word] >> np.uint64(8)).astype(np.float32) * np.float32(2.0**-24)
    a, b = words[2 * word] >> np.uint64(5), words[2 * word + 1] >> np.uint64(6)
    return ((a << np.uint64(26)) + b).astype(np.float64) * 2.0**-53


# -- distributions, over any arithmetic

Unit: TypeAlias = Callable[[int], Any]  # the element's uniform number of each word
Functions: TypeAlias = Callable[..., Any]  # (name, *arguments): log, sqrt, cos


def _in_numpy(name: str, *args: Any) -> Any:
    return getattr(np, name)(*args)


def _normal(unit: Unit, f: Functions, dtype: DType) -> Any:
    """Box and Muller (1958); `1 - u` is never 0."""
    radius = f("sqrt", f("log", 1 - unit(0)) * -2.0)
    return radius * f("cos", unit(1) * (2 * math.pi))


def _truncated_normal(unit: Unit, f: Functions, dtype: DType) -> Any:
    """The normal distribution within two standard deviations, by its inverse."""
    edge = math.erf(math.sqrt(2))
    return _erfinv((unit(0) * 2.0 - 1.0) * edge, f, dtype) * math.sqrt(2)


# Giles, Approximating the erfinv function (GPU Computing Gems, 2010): the central branches, which
# hold for w < 5 and w < 6.25. Two standard deviations reach w = 2.42.
_ERFINV_32 = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
    -0.00125372503, -0.00417768164, 0.246640727, 1.50140941,
)  # fmt: skip
_ERFINV_64 = (
    -3.6444120640178196996e-21, -1.685059138182016589e-19, 1.2858480715256400167e-18,
    1.115787767802518096e-17, -1.333171662854620906e-16, 2.0972767875968561637e-17,
    6.6376381343583238325e-15, -4.0545662729752068639e-14, -8.1519341976054721522e-14,
    2.6335093153082322977e-12, -1.2975133253453532498e-11, -5.4154120542946279317e-11,
    1.051212273321532285e-09, -4.1126339803469836976e-09, -2.9070369957882005086e-08,
    4.2347877827932403518e-07, -1.3654692000834678645e-06, -1.3882523362786468719e-05,
    0.0001867342080340571352, -0.00074070253416626697512, -0.0060336708714301490533,
    0.24015818242558961693, 1.6536545626831027356,
)  # fmt: skip


def _erfinv(x: Any, f: Functions, dtype: DType) -> Any:
    """The inverse of the error function for |x| below 0.99."""
    coefficients, center = (_ERFINV_32, 2.5) if dtype == "float32" else (_ERFINV_64, 3.125)
    w = 0.0 - f("log", 1 - x * x) - center
    total = w * coefficients[0] + coefficients[1]
    for coefficient in coefficients[2:]:
        total = total * w + coefficient
    return total * x


# -- the records


class Distribution(Op):
    """What random tensors share: one input, the run's number, and no gradient.

    Attributes:
        shape: of the result.
        dtype: float32 or float64.
        key: the seed, two signed numbers of 32 bits.
    """

    stateful: ClassVar[bool] = True
    shape: tuple[int, ...]
    dtype: DType
    key: Key

    def draw(self, unit: Unit, f: Functions) -> Any:
        """The element's number, from its uniform numbers in [0, 1)."""
        raise NotImplementedError

    def infer(self, counter: Spec) -> Spec:
        _check_counter(counter)
        return Spec(self.shape, self.dtype)

    def evaluate(self, xp: Any, counter: Any) -> Any:
        element = np.arange(size(self.shape), dtype=np.int64).reshape(self.shape)

        def numbers(word: int) -> Array:
            return unit(self.key, counter, element, word, self.dtype)

        return xp.asarray(self.draw(numbers, _in_numpy))

    def lower(self, *inputs: Operand) -> Lowered:
        (counter,) = inputs
        index = axes(*self.shape)
        linear = sum((i * s for i, s in zip(index, strides(self.shape), strict=True)), Affine())
        # A number of the kernel, and so no part of its code: another seed compiles nothing.
        words = [word if isinstance(word, Dim) else Dim(word) for word in self.key]
        key = [Position(affine(word), dtypes.int32) for word in words]
        run, element = counter[()], Position(linear)

        def numbers(word: int) -> Expr:
            args = (*key, run, element, Const(word, dtypes.int32))
            return apply("random_unit", *args, dtype=self.dtype)

        return Formula.make(index, self.draw(numbers, apply))

    def grad(self, node: Operation, dy: Tensor) -> Sequence[Tensor | None]:
        return [None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        make: Any = cls
        for shape, run in (((2, 3, 5), 0), ((33,), 2**33 + 7), ((), 1)):
            for dtype in (dtypes.float32, dtypes.float64):
                yield Sample(make(shape, dtype, (-5, 17)), (np.int64(run),))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        make: Any = cls
        yield Sample(make((2,), dtypes.float32, (1, 2)), (np.int32(1),), "the run counter")


def _check_counter(counter: Spec) -> None:
    if counter.dtype != dtypes.int64 or counter.shape not in (None, ()):
        raise DTypeError(f"the run counter must be an int64 scalar, not {counter}")


class RandomUniform(Distribution):
    """Uniform numbers in [0, 1)."""

    type: ClassVar[str] = "RandomUniform"
    shape: tuple[int, ...]
    dtype: DType
    key: Key

    def draw(self, unit: Unit, f: Functions) -> Any:
        return unit(0)


class RandomUniformRest(Distribution):
    """What `RandomUniform` of float64 leaves of an element's random bits: other uniform numbers."""

    type: ClassVar[str] = "RandomUniformRest"
    shape: tuple[int, ...]
    dtype: DType
    key: Key

    def draw(self, unit: Unit, f: Functions) -> Any:
        return unit(1)


class RandomNormal(Distribution):
    """Normally distributed numbers, of mean 0 and deviation 1."""

    type: ClassVar[str] = "RandomStandardNormal"
    shape: tuple[int, ...]
    dtype: DType
    key: Key

    def draw(self, unit: Unit, f: Functions) -> Any:
        return _normal(unit, f, self.dtype)


class TruncatedNormal(Distribution):
    """Normally distributed numbers, of mean 0 and deviation 1, none beyond 2."""

    type: ClassVar[str] = "TruncatedNormal"
    shape: tuple[int, ...]
    dtype: DType
    key: Key

    def draw(self, unit: Unit, f: Functions) -> Any:
        return _truncated_normal(unit, f, self.dtype)


DISTRIBUTIONS: dict[str, Any] = {
    record.type: record
    for record in (RandomUniform, RandomUniformRest, RandomNormal, TruncatedNormal)
}


class RandomOfShape(Op):
    """Random numbers of a shape that a tensor holds.

    Attributes:
        distribution: the type of the record that it becomes once the shape is known.
        dtype: float32 or float64.
        key: the seed.
        dims: what is known of the shape.
    """

    type: ClassVar[str] = "RandomOfShape"
    stateful: ClassVar[bool] = True
    static: ClassVar[tuple[int, ...]] = (0,)
    distribution: str
    dtype: DType
    key: Key
    dims: Shape = None

    def infer(self, shape: Spec, counter: Spec) -> Spec:
        _check_counter(counter)
        return Spec(computed_dims(self.dims, shape), self.dtype)

    def _of(self, shape: Sequence[int]) -> Distribution:
        record: Distribution = DISTRIBUTIONS[self.distribution](tuple(shape), self.dtype, self.key)
        return record

    def evaluate(self, xp: Any, shape: Any, counter: Any) -> Any:
        return self._of([int(extent) for extent in shape]).evaluate(xp, counter)

    def expand(self, *inputs: Tensor) -> Tensor:
        shape, counter = inputs
        return emit(self._of(planned_shape("random", self.dims, shape)), counter)

    def grad(self, node: Operation, dy: Tensor) -> Sequence[Tensor | None]:
        return [None, None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for kind in DISTRIBUTIONS:
            record = cls(kind, dtypes.float32, (3, 4))
            yield Sample(record, (np.array([2, 3], np.int32), np.int64(9)))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        record, run = cls("RandomUniform", dtypes.float32, (3, 4)), np.int64(1)
        yield Sample(record, (np.ones(1, np.float32), run), "a shape must be integers, not float32")
        yield Sample(
            record, (np.ones((1, 2), np.int32), run), "a shape must be a vector, not [1, 2]"
        )


# -- seeds


def set_random_seed(seed: int | None) -> None:
    """Set the default graph's seed: with it, every run of a program draws the same numbers.

    An operation that is given no seed of its own takes one from its place among the graph's random
    operations.

    Args:
        seed: any integer, or None for fresh randomness in every process.
    """
    default_graph().seed = seed


_DEFAULT_GRAPH_SEED = 87654321  # TensorFlow's, where only the operation has a seed


def with_key(record: Distribution | RandomOfShape, key: Key) -> Distribution | RandomOfShape:
    """The same with another seed."""
    fields = {name: getattr(record, name) for name in record.fields}
    return type(record)(**fields | {"key": key})


def _make_key(graph: Graph, seed: int | None) -> Key:
    place, graph.random_ops = graph.random_ops, graph.random_ops + 1
    return seed_key(graph, seed, place)


def seed_key(graph: Graph, seed: int | None, place: int) -> Key:
    """What the graph's seed and one's own decide; `place` stands for the latter if it is None."""
    if graph.seed is None and seed is None:
        drawn = int.from_bytes(os.urandom(8), "little")
        return _signed(drawn & 0xFFFFFFFF), _signed(drawn >> 32)
    first = _DEFAULT_GRAPH_SEED if graph.seed is None else int(graph.seed)
    second = place if seed is None else int(seed)
    return _signed(first), _signed(second)


def _signed(seed: int) -> int:
    """Any integer as 32 bits, those above folded in, read as a signed number."""
    bits = (seed ^ (seed >> 32) if seed >= 2**32 else seed) & 0xFFFFFFFF
    return bits - 2**32 if bits >= 2**31 else bits


def run_counter(graph: Graph) -> Tensor:
    """The graph's one tensor that counts the session's runs."""
    for node in graph.operations:
        if isinstance(node.record, RunCounter):
            return node.outputs[0]
    with graph.name_scope(None), graph.control_dependencies(None):
        return graph.add(RunCounter()).outputs[0]


# -- the public functions


def _random(
    kind: str,
    shape: Any,
    dtype: DType,
    seed: int | None,
    name: str | None,
    key: Key | None = None,
) -> Tensor:
    """Standard random numbers; half precision is drawn as float32. A key stands for a seed."""
    drawn = dtypes.float64 if dtype == dtypes.float64 else dtypes.float32
    dims, computed = known_dims(shape)
    if any(extent is not None and extent < 0 for extent in dims or ()):
        raise ShapeError(f"the shape of a random tensor must be known: {shape!r}")
    graph = default_graph() if computed is None else computed.graph
    key, counter = key or _make_key(graph, seed), run_counter(graph)
    label = name if drawn == dtype else None
    if computed is None:
        made = emit(DISTRIBUTIONS[kind](known(dims), drawn, key), counter, name=label)
    else:
        made = emit(RandomOfShape(kind, drawn, key, dims), computed, counter, name=label)
    return made if drawn == dtype else emit(Cast(dtype), made, name=name)


def _floating(dtype: Any) -> DType:
    kind = as_dtype(dtype)
    if not kind.is_floating:
        raise DTypeError(f"normally distributed numbers are floating, not {kind}")
    return kind


class _Draw(Record):
    """What a public function asks for: a distribution, and where its numbers go."""

    kind: str
    shape: Any
    dtype: DType
    seed: int | None

    def scaled(self, scale: Any, offset: Any, name: str | None) -> Tensor:
        """`z * scale + offset` without what changes nothing; the last operation has the name."""
        scaling, moving = not _is_number(scale, 1), not _is_number(offset, 0)
        z = _random(
            self.kind, self.shape, self.dtype, self.seed, None if scaling or moving else name
        )
        if scaling:
            z = arithmetic.multiply(z, scale, name=None if moving else name)
        return arithmetic.add(z, offset, name=name) if moving else z


def _is_number(value: Any, number: float) -> bool:
    return isinstance(value, int | float) and value == number


def random_normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Normally distributed numbers.

    Args:
        shape: a list of integers, or an integer tensor.
        mean: a number, or a tensor that broadcasts with the shape.
        stddev: the standard deviation, likewise.
        dtype: a floating type.
        seed: of this operation; see `set_random_seed`.
        name: of the operation.

    Raises:
        DTypeError: if the type is not floating.
        ShapeError: if the shape is not made of non-negative integers.
    """
    kind = _floating(dtype)
    with default_graph().name_scope(name or "random_normal") as scope:
        return _Draw(RandomNormal.type, shape, kind, seed).scaled(stddev, mean, scope)


def truncated_normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Normally distributed numbers, none further from the mean than two standard deviations.

    Args:
        shape: a list of integers, or an integer tensor.
        mean: a number, or a tensor that broadcasts with the shape.
        stddev: the standard deviation before truncation, likewise.
        dtype: a floating type.
        seed: of this operation; see `set_random_seed`.
        name: of the operation.

    Raises:
        DTypeError: if the type is not floating.
        ShapeError: if the shape is not made of non-negative integers.
    """
    kind = _floating(dtype)
    with default_graph().name_scope(name or "truncated_normal") as scope:
        return _Draw(TruncatedNormal.type, shape, kind, seed).scaled(stddev, mean, scope)


def random_uniform(
    shape: Any,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Uniformly distributed numbers in `[minval, maxval)`.

    Integers have all their bits drawn, over any range. Floating bounds may be equal, and all
    numbers are then the same.

    Args:
        shape: a list of integers, or an integer tensor.
        minval: the lower bound, a number or a tensor.
        maxval: the upper bound, itself never drawn unless it is the lower one; 1 if not given,
            which integers must be. For all of a type's integers it is one more than the largest.
        dtype: a floating type, or int32 or int64.
        seed: of this operation; see `set_random_seed`.
        name: of the operation.

    Raises:
        DTypeError: if the type is bool.
        InvalidArgumentError: if integers have no upper bound, or one that is not above the lower,
            or bounds are numbers and not the type's. Bounds that are tensors are not compared.
        ShapeError: if the shape is not made of non-negative integers.
    """
    kind = as_dtype(dtype)
    if kind.is_bool:
        raise DTypeError("random numbers cannot be bool; compare random_uniform(...) with 0.5")
    if maxval is None:
        if kind.is_integer:
            raise InvalidArgumentError(f"random_uniform of {kind} needs maxval")
        maxval = 1
    minval, maxval = (b.item() if isinstance(b, np.generic) else b for b in (minval, maxval))
    _check_bounds(minval, maxval, kind)
    with default_graph().name_scope(name or "random_uniform") as scope:
        if kind.is_integer:
            return _uniform_integers(shape, minval, maxval, kind, seed, scope)
        draw = _Draw(RandomUniform.type, shape, kind, seed)
        if _is_number(minval, 0) and _is_number(maxval, 1) and kind.size > 2:
            return draw.scaled(1, 0, scope)
        if not _are_numbers(minval, maxval):
            high, low = convert(maxval, hint=kind), convert(minval, hint=kind)
            drawn = draw.scaled(arithmetic.subtract(high, low), low, None)
            return arithmetic.where(drawn < high, drawn, low + zeros_like(drawn), name=scope)
        # Rounding may reach the upper bound.
        below = _largest_below(maxval, minval, kind)
        return arithmetic.minimum(_between(draw, minval, maxval), below, name=scope)


def _between(draw: _Draw, low: float, high: float) -> Tensor:
    """Numbers from one bound to another, whose difference may be too large for the dtype."""
    with np.errstate(over="ignore"):
        fits = np.isfinite(np.array(high - low, draw.dtype.numpy))
    if fits:
        return draw.scaled(high - low, low, None)
    return draw.scaled(high / 2 - low / 2, low / 2, None) * 2


def _largest_below(maxval: float, minval: float, dtype: DType) -> np.ndarray[Any, Any]:
    """The normal number before the upper bound, unless that is the lower one, too."""
    high, low = np.array(maxval, dtype.numpy), np.array(minval, dtype.numpy)
    below = np.asarray(np.nextafter(high, low))
    least = dtype.smallest_normal
    return np.array(-least, dtype.numpy) if -least < float(below) < 0 else below


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _check_bounds(minval: Any, maxval: Any, dtype: DType) -> None:
    if not _are_numbers(minval, maxval):
        return
    if minval > maxval or (dtype.is_integer and minval == maxval):
        raise InvalidArgumentError(f"random_uniform: minval {minval} is not below maxval {maxval}")
    if dtype.is_integer and (minval < dtype.min or maxval > int(dtype.max) + 1):
        raise InvalidArgumentError(
            f"random_uniform: minval {minval} and maxval {maxval} are not a range of {dtype}"
        )


def _uniform_integers(
    shape: Any, minval: Any, maxval: Any, dtype: DType, seed: int | None, name: str
) -> Tensor:
    """`minval + floor(w * (maxval - minval))`, with a w in [0, 1).

    It has 53 bits, or 83 where the range is wide. All is computed modulo 2**64, so that no range is
    too wide.
    """
    if _are_numbers(minval, maxval):
        count: Any = int(maxval) - int(minval)
        wide, low = count > _EXACT, constant_like(default_graph(), np.int64(minval))
    else:
        high, low = (cast(convert(b, hint=dtype), dtypes.int64) for b in (maxval, minval))
        count, wide = arithmetic.subtract(high, low), dtype.size == dtypes.int64.size
    u = _random(RandomUniform.type, shape, dtypes.float64, seed, None)
    if wide:
        key = u.op.record.key  # type: ignore[attr-defined]
        rest = _random(RandomUniformRest.type, shape, dtypes.float64, None, None, key)
        offset = _scaled_exactly(u, rest, count)
    else:
        factor = cast(count, dtypes.float64) if isinstance(count, Tensor) else float(count)
        offset = cast(arithmetic.multiply(u, factor), dtypes.int64)
    made = arithmetic.add(offset, low, name=name if dtype == dtypes.int64 else None)
    return made if dtype == dtypes.int64 else emit(Cast(dtype), made, name=name)


_EXACT = 2**53  # ranges up to this are as fine as a float64's numbers in [0, 1)
_DIGIT = 30  # bits: products of digits, and sums of some, fit an int64


def _scaled_exactly(u: Tensor, rest: Tensor, count: Any) -> Tensor:
    """`floor(w * count)` modulo 2**64: w has the 53 bits of u, and 30 of the rest behind them.

    Both are written in digits, and multiplied as by hand.
    """
    scaled, more = u * 2.0**_DIGIT, rest * 2.0**7
    first, seven = cast(scaled, dtypes.int64), cast(more, dtypes.int64)
    left = (scaled - cast(first, dtypes.float64)) * 2.0 ** (_DIGIT - 7)
    second = cast(left, dtypes.int64) * 2**7 + seven
    third = cast((more - cast(seven, dtypes.float64)) * 2.0**_DIGIT, dtypes.int64)
    base = 2**_DIGIT
    low, middle, high = count % base, count // base % base, count // base**2
    if isinstance(count, Tensor):
        high = high % 16  # of 2**63 and more the sign is a digit
    carry: Tensor = third * low // base
    carry = (third * middle + second * low + carry) // base
    carry = (third * high + second * middle + first * low + carry) // base
    offset: Tensor = carry + second * high + first * middle + first * high * base
    return offset
