"""The scalar functions of formulas as IR: arithmetic, conversions, comparisons, selection."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from thalweg.backends.native.llvm import elementary, halves, special, trigonometry, vector_math
from thalweg.backends.native.llvm.builder import Builder
from thalweg.backends.native.llvm.philox import philox4x32
from thalweg.backends.native.llvm.ssa import SsaValue, Type
from thalweg.base.dtypes import DType
from thalweg.formula import FUNCTIONS

REGISTER = {
    "float16": "float", "bfloat16": "float", "float32": "float", "float64": "double",
    "int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64",
    "uint8": "i8", "uint16": "i16", "bool": "i1",
}  # fmt: skip
HALVES = frozenset({"float16", "bfloat16"})
MEMORY = {**REGISTER, "float16": "i16", "bfloat16": "i16", "bool": "i8"}


def register_type(dtype: DType, lanes: int = 0) -> Type:
    """What an element is while it is computed with: half precision is widened to float."""
    return Type(REGISTER[dtype.name], lanes)


def memory_type(dtype: DType, lanes: int = 0) -> Type:
    """What an element is in memory."""
    return Type(MEMORY[dtype.name], lanes)


def from_memory(value: SsaValue, dtype: DType) -> SsaValue:
    """A loaded element as the type it is computed with."""
    if dtype.name == "bfloat16":
        return halves.float_of_bfloat16(value)
    if dtype.name == "float16":
        return halves.float_of_float16(value)
    return value.differs(0) if dtype.is_bool else value


def to_memory(value: SsaValue, dtype: DType) -> SsaValue:
    """A computed element as it is stored."""
    if dtype.name == "bfloat16":
        return halves.bfloat16_of_float(value)
    if dtype.name == "float16":
        return halves.float16_of_float(value)
    return value.convert("zext", "i8") if dtype.is_bool else value


def unify(builder: Builder, args: Sequence[SsaValue]) -> list[SsaValue]:
    """Scalars splat to the lanes of the vectors beside them."""
    lanes = max((arg.type.lanes for arg in args), default=0)
    return [builder.splat(arg, lanes) for arg in args]


def emit_function(
    builder: Builder, name: str, args: Sequence[SsaValue], kinds: Sequence[DType], dtype: DType
) -> SsaValue:
    """The function applied to values; `kinds` are the arguments' dtypes, `dtype` the result's.

    A result of half precision is rounded to it, though it stays in a wider register: what is
    computed from it must not depend on whether it has been in memory in between.
    """
    if name == "cast":
        return convert(args[0], kinds[0], dtype)
    emit = EMITTERS[name]
    if (kinds[-1].is_unsigned or kinds[-1].is_bool) and name in _UNSIGNED:
        emit = _UNSIGNED[name]
    made = emit(*unify(builder, args))
    return made if FUNCTIONS[name].exact else _round_to(made, dtype)


def constant(builder: Builder, value: float, dtype: DType) -> SsaValue:
    """A number of a dtype as it is computed with, rounded to the dtype."""
    rounded = float(np.array(value, dtype.numpy)) if dtype.name in HALVES else value
    return builder.constant(register_type(dtype), rounded)


def _maximum(a: SsaValue, b: SsaValue) -> SsaValue:
    return a.math("maximum", b) if a.type.is_float else a.math("smax", b)


def _minimum(a: SsaValue, b: SsaValue) -> SsaValue:
    return a.math("minimum", b) if a.type.is_float else a.math("smin", b)


def _absolute(x: SsaValue) -> SsaValue:
    return x.math("fabs") if x.type.is_float else (x < 0).select(-x, x)


def _sign(x: SsaValue) -> SsaValue:
    one = x.builder.constant(x.type, 1)
    signed = (x > 0).select(one, (x < 0).select(-one, 0))
    return x.is_nan().select(x, signed) if x.type.is_float else signed


def _floor_divide(x: SsaValue, y: SsaValue) -> SsaValue:
    if x.type.is_float:
        return _float_floor_divide(x, y)
    quotient, remainder, zero = _integer_divide(x, y)
    wrong = remainder.differs(0) & ((remainder < 0) ^ (y < 0))
    return zero.select(x * 0, wrong.select(quotient - 1, quotient))


def _floor_modulo(x: SsaValue, y: SsaValue) -> SsaValue:
    if x.type.is_float:
        remainder = x % y
        wrong = remainder.differs(0) & ((remainder < 0) ^ (y < 0))
        zero = (remainder * 0).math("copysign", y)
        return wrong.select(remainder + y, remainder.equals(0).select(zero, remainder))
    _, remainder, zero_divisor = _integer_divide(x, y)
    wrong = remainder.differs(0) & ((remainder < 0) ^ (y < 0))
    return zero_divisor.select(x * 0, wrong.select(remainder + y, remainder))


def _integer_divide(x: SsaValue, y: SsaValue) -> tuple[SsaValue, SsaValue, SsaValue]:
    """Quotient towards zero, remainder, and whether the divisor is 0; never traps."""
    zero, minus = y.equals(0), y.equals(-1)
    one = x.builder.constant(x.type, 1)
    safe = (zero | minus).select(one, y)
    quotient = minus.select(-x, x / safe)
    remainder = minus.select(x * 0, x % safe)
    return quotient, remainder, zero


def _float_floor_divide(x: SsaValue, y: SsaValue) -> SsaValue:
    """NumPy's: the floor of the exact quotient, from the exact remainder."""
    remainder = x % y
    wrong = remainder.differs(0) & ((remainder < 0) ^ (y < 0))
    quotient = (x - remainder) / y
    quotient = wrong.select(quotient - 1.0, quotient)
    floor = quotient.math("floor")
    rounded = (quotient - floor > 0.5).select(floor + 1.0, floor)
    zero = (quotient * 0).math("copysign", x / y)
    rounded = quotient.equals(0).select(zero, rounded)
    return y.equals(0).select(x / y, rounded)


_MATHEMATICS = (special, trigonometry, vector_math)  # each enters its functions into one table

# Of each function in `thalweg.formula.FUNCTIONS` that depends on its arguments alone.
EMITTERS: dict[str, Callable[..., SsaValue]] = {
    **elementary.FUNCTIONS,
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
    "abs": _absolute,
    "sign": _sign,
    "floor": lambda a: a.math("floor"),
    "ceil": lambda a: a.math("ceil"),
    "round": lambda a: a.math("roundeven"),
    "sqrt": lambda a: a.math("sqrt"),
    "max": _maximum,
    "min": _minimum,
    "floordiv": _floor_divide,
    "floormod": _floor_modulo,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "eq": lambda a, b: a.fenced().equals(b),
    "ne": lambda a, b: a.fenced().differs(b),
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "not": lambda a: ~a,
    "select": lambda c, a, b: c.select(a, b),
}

# Those that are others for unsigned integers and truth values.
_UNSIGNED: dict[str, Callable[..., SsaValue]] = {
    "abs": lambda a: a,
    "sign": lambda a: a.differs(0).select(a.builder.constant(a.type, 1), 0),
    "max": lambda a, b: a.math("umax", b),
    "min": lambda a, b: a.math("umin", b),
    "floordiv": lambda a, b: _unsigned_divide(a, b, "udiv"),
    "floormod": lambda a, b: _unsigned_divide(a, b, "urem"),
    "lt": lambda a, b: a.compare("olt", "ult", b),
    "le": lambda a, b: a.compare("ole", "ule", b),
    "gt": lambda a, b: a.compare("ogt", "ugt", b),
    "ge": lambda a, b: a.compare("oge", "uge", b),
}


def _unsigned_divide(x: SsaValue, y: SsaValue, op: str) -> SsaValue:
    zero = y.equals(0)
    safe = zero.select(x.builder.constant(x.type, 1), y)
    return zero.select(x * 0, x.udiv(safe) if op == "udiv" else x.urem(safe))


# -- conversions


def convert(value: SsaValue, source: DType, target: DType) -> SsaValue:
    """NumPy's `astype`: towards zero from floats to integers, `x != 0` to bool."""
    old, new = value.type.element, REGISTER[target.name]
    if target.is_bool:
        return value if source.is_bool else value.fenced().differs(0)
    if source.is_floating and target.is_floating:
        narrow = _to_odd if source.size == 8 and target.name == "float16" else _resize_float
        return _round_to(narrow(value, old, new), target)
    if source.is_floating:
        return _to_integer(value, new)
    if target.is_floating:
        unsigned = source.is_unsigned or source.is_bool
        made = value.convert("uitofp" if unsigned else "sitofp", new)
        return _round_to(made, target)
    return _resize_integer(value, new, source.is_unsigned or source.is_bool)


def _resize_float(value: SsaValue, old: str, new: str) -> SsaValue:
    if old == new:
        return value
    return value.convert("fpext" if new == "double" else "fptrunc", new)


def _to_odd(value: SsaValue, old: str, new: str) -> SsaValue:
    """A double as a float whose last bit is set where digits are lost: rounding it again is right.

    (Boldo and Melquiond, When double rounding is odd, 2005.)
    """
    near = value.convert("fptrunc", new)
    back, bits = near.convert("fpext", old), near.bitcast("i32")
    inexact = (back < value) | (back > value)
    short = back.math("fabs") < value.math("fabs")
    truncated = short.select(bits, bits - 1)
    return inexact.select(truncated | 1, bits).bitcast(new)


def _round_to(value: SsaValue, target: DType) -> SsaValue:
    """Half precision is computed in float, so what is of it must be rounded by hand."""
    if target.name not in HALVES:
        return value
    return from_memory(to_memory(value, target), target)


def _to_integer(value: SsaValue, new: str) -> SsaValue:
    """Through a wide integer, whose least number stands for what it cannot hold: see `Cast`."""
    wide = "i64" if new == "i64" else "i32"
    limit = 2.0 ** (value.type.of(wide).bits - 1)
    fits = (value >= -limit) & (value < limit)
    made = fits.select(value, -limit).convert("fptosi", wide)
    return made if wide == new else made.convert("trunc", new)


def _resize_integer(value: SsaValue, new: str, unsigned: bool) -> SsaValue:
    bits, old_bits = value.type.of(new).bits, value.type.bits
    if bits == old_bits:
        return value
    if bits < old_bits:
        return value.convert("trunc", new)
    return value.convert("zext" if unsigned else "sext", new)


# -- random numbers


def random_words(
    key_low: SsaValue, key_high: SsaValue, run: SsaValue, element: SsaValue
) -> list[SsaValue]:
    """The four random words of an element; `thalweg.ops.random.philox.unit` is their definition."""
    run = run.splat(element.type.lanes)
    counter = (_low(element), _high(element), _low(run), _high(run))
    return list(philox4x32(counter, (key_low, key_high)))


def random_unit(words: Sequence[SsaValue], number: int, dtype: DType) -> SsaValue:
    """A uniform number in [0, 1) of that number among the element's."""
    if dtype.name == "float64":
        a = words[2 * number].lshr(5).convert("zext", "i64").convert("sitofp", "double")
        b = words[2 * number + 1].lshr(6).convert("zext", "i64").convert("sitofp", "double")
        return (a * 67108864.0 + b) * 2.0**-53
    return words[number].lshr(8).convert("sitofp", "float") * 2.0**-24


def _low(value: SsaValue) -> SsaValue:
    return value.convert("trunc", "i32")


def _high(value: SsaValue) -> SsaValue:
    return value.lshr(32).convert("trunc", "i32")
