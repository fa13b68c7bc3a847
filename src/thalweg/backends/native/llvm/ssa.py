"""LLVM's types, and SSA values with operators that write instructions."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Union

from thalweg.base.record import Record, replace

if TYPE_CHECKING:
    from thalweg.backends.native.llvm.builder import Builder

FLOATS = {"half": 16, "float": 32, "double": 64}
BITS = {**FLOATS, "i1": 1, "i8": 8, "i16": 16, "i32": 32, "i64": 64, "i128": 128, "ptr": 64}
_MANGLED = {"half": "f16", "float": "f32", "double": "f64", "ptr": "p0"}


class Type(Record):
    """A scalar LLVM type, or a vector of `lanes` of them when `lanes` is not 0."""

    element: str
    lanes: int = 0

    @property
    def is_float(self) -> bool:
        return self.element in FLOATS

    @property
    def bits(self) -> int:
        """Width of one element in bits."""
        return BITS[self.element]

    @property
    def mangled(self) -> str:
        """How intrinsics spell the type: v16f32."""
        element = _MANGLED.get(self.element, self.element)
        return f"v{self.lanes}{element}" if self.lanes else element

    def of(self, element: str) -> Type:
        """The type with as many lanes and another element."""
        return replace(self, element=element)

    def __str__(self) -> str:
        return f"<{self.lanes} x {self.element}>" if self.lanes else self.element


I1, I8, I32, I64, PTR = Type("i1"), Type("i8"), Type("i32"), Type("i64"), Type("ptr")
F32, F64 = Type("float"), Type("double")

Number = Union["SsaValue", int, float]


class SsaValue(Record, eq=False):
    """An SSA value or a constant; operators append instructions to its builder.

    Numbers on the other side of an operator become constants of the same type. Integer comparison,
    division and right shift are signed.
    """

    builder: Builder
    type: Type
    ref: str

    def _binary(self, float_op: str, int_op: str, other: Number, swap: bool = False) -> SsaValue:
        b = self.builder
        left, right = self, b.like(self, other)
        if swap:
            left, right = right, left
        op = float_op if self.type.is_float else int_op
        if not op:
            raise TypeError(f"no such instruction on {self.type}")
        return b.emit(f"{op} {self.type} {left.ref}, {right.ref}", self.type)

    def __add__(self, other: Number) -> SsaValue:
        return self._binary("fadd", "add", other)

    def __radd__(self, other: Number) -> SsaValue:
        return self._binary("fadd", "add", other, swap=True)

    def __sub__(self, other: Number) -> SsaValue:
        return self._binary("fsub", "sub", other)

    def __rsub__(self, other: Number) -> SsaValue:
        return self._binary("fsub", "sub", other, swap=True)

    def __mul__(self, other: Number) -> SsaValue:
        return self._binary("fmul", "mul", other)

    def __rmul__(self, other: Number) -> SsaValue:
        return self._binary("fmul", "mul", other, swap=True)

    def __truediv__(self, other: Number) -> SsaValue:
        return self._binary("fdiv", "sdiv", other)

    def __rtruediv__(self, other: Number) -> SsaValue:
        return self._binary("fdiv", "sdiv", other, swap=True)

    def __mod__(self, other: Number) -> SsaValue:
        """The remainder that has the sign of the dividend (C's)."""
        return self._binary("frem", "srem", other)

    def __and__(self, other: Number) -> SsaValue:
        return self._binary("", "and", other)

    def __or__(self, other: Number) -> SsaValue:
        return self._binary("", "or", other)

    def __xor__(self, other: Number) -> SsaValue:
        return self._binary("", "xor", other)

    def __lshift__(self, other: Number) -> SsaValue:
        return self._binary("", "shl", other)

    def __rshift__(self, other: Number) -> SsaValue:
        return self._binary("", "ashr", other)

    def lshr(self, other: Number) -> SsaValue:
        """Right shift that brings in zeros."""
        return self._binary("", "lshr", other)

    def udiv(self, other: Number) -> SsaValue:
        return self._binary("", "udiv", other)

    def urem(self, other: Number) -> SsaValue:
        return self._binary("", "urem", other)

    def __neg__(self) -> SsaValue:
        if self.type.is_float:
            return self.builder.emit(f"fneg {self.type} {self.ref}", self.type)
        return 0 - self

    def __invert__(self) -> SsaValue:
        return self ^ -1

    def compare(self, float_predicate: str, int_predicate: str, other: Number) -> SsaValue:
        """An i1 (or vector of i1): `fcmp` with the first predicate on floats, else `icmp`."""
        right = self.builder.like(self, other)
        op = f"fcmp {float_predicate}" if self.type.is_float else f"icmp {int_predicate}"
        text = f"{op} {self.type} {self.ref}, {right.ref}"
        return self.builder.emit(text, self.type.of("i1"))

    def __lt__(self, other: Number) -> SsaValue:
        return self.compare("olt", "slt", other)

    def __le__(self, other: Number) -> SsaValue:
        return self.compare("ole", "sle", other)

    def __gt__(self, other: Number) -> SsaValue:
        return self.compare("ogt", "sgt", other)

    def __ge__(self, other: Number) -> SsaValue:
        return self.compare("oge", "sge", other)

    def equals(self, other: Number) -> SsaValue:
        return self.compare("oeq", "eq", other)

    def differs(self, other: Number) -> SsaValue:
        return self.compare("une", "ne", other)

    def fenced(self) -> SsaValue:
        """This float as a number: LLVM must not reason about how its bits came about.

        It would take a comparison with 0 for one of bits, and a subnormal number for other than 0.
        """
        return self.math("arithmetic.fence") if self.type.is_float else self

    def is_nan(self) -> SsaValue:
        return self.compare("uno", "", self)

    def select(self, true: SsaValue, false: Number) -> SsaValue:
        """`true` where this i1 is set, else `false`; a scalar condition chooses whole vectors."""
        other = self.builder.like(true, false)
        condition = f"{self.type} {self.ref}"
        text = f"select {condition}, {true.type} {true.ref}, {other.type} {other.ref}"
        return self.builder.emit(text, true.type)

    def fma(self, factor: Number, addend: Number) -> SsaValue:
        """`self * factor + addend`, rounded once."""
        factor, addend = self.builder.like(self, factor), self.builder.like(self, addend)
        return self.builder.intrinsic("llvm.fma", self.type, self, factor, addend)

    def math(self, name: str, *others: Number) -> SsaValue:
        """An LLVM intrinsic overloaded on this type: `x.math("sqrt")`, `x.math("maximum", y)`."""
        args = [self.builder.like(self, other) for other in others]
        return self.builder.intrinsic(f"llvm.{name}", self.type, self, *args)

    def any(self) -> SsaValue:
        """Whether one of the lanes of this i1 is set."""
        if not self.type.lanes:
            return self
        return self.builder.call(f"llvm.vector.reduce.or.{self.type.mangled}", I1, self)

    def bitcast(self, element: str) -> SsaValue:
        return self.builder.convert("bitcast", self, element)

    def convert(self, op: str, element: str) -> SsaValue:
        """A conversion instruction by name: `x.convert("fptosi", "i32")`."""
        return self.builder.convert(op, self, element)

    def splat(self, lanes: int) -> SsaValue:
        """This scalar in every lane of a vector."""
        return self.builder.splat(self, lanes)


def float_literal(number: float, element: str) -> str:
    """LLVM's exact spelling of a float or double constant: the bits of the double, in hex."""
    if element == "float":
        number = struct.unpack("f", struct.pack("f", number))[0]
    return f"0x{struct.unpack('<Q', struct.pack('<d', number))[0]:016X}"
