"""Half precision: 16 bits in memory, a float while it is computed with.

LLVM's own conversions call functions of compiler-rt, which no system need have, on every CPU that
lacks instructions for them. There the bits are taken apart and put together as integers.
"""

from __future__ import annotations

from thalweg.backends.native.llvm.ssa import SsaValue

_SIGN, _INFINITY, _QUIET_NAN = 0x8000, 0x7C00, 0x7E00  # float16
_LOST = 13  # bits of a float's fraction that a float16 does not have
_REBIAS = (127 - 15) << 23  # from the exponents of float16 to those of floats
_LEAST = 0x38800000  # 2^-14, the least normal float16, as a float
_TOO_LARGE = 0x47800000  # 2^16


def float_of_bfloat16(bits: SsaValue) -> SsaValue:
    """The float whose upper half these bits are."""
    return (bits.convert("zext", "i32") << 16).bitcast("float")


def bfloat16_of_float(value: SsaValue) -> SsaValue:
    """A float rounded to the upper half of its bits, to nearest, ties to even."""
    bits = value.bitcast("i32")
    rounded = (bits + 0x7FFF + (bits.lshr(16) & 1)).lshr(16)
    quiet = bits.lshr(16) | 0x40  # the rounding of a NaN could carry into an infinity
    return value.is_nan().select(quiet, rounded).convert("trunc", "i16")


def float_of_float16(bits: SsaValue) -> SsaValue:
    """The float of the same value as a float16."""
    if bits.builder.converts_halves:
        return bits.bitcast("half").convert("fpext", "float")
    wide = bits.convert("zext", "i32")
    size = (wide & (_SIGN - 1)) << _LOST
    normal = size + _REBIAS
    # The exponent of infinity and NaN is the largest here and there.
    normal = (size >= _INFINITY << _LOST).select(normal + _REBIAS, normal)
    # A subnormal number is what a normal one has beyond the least.
    subnormal = (size + _LEAST).bitcast("float") - 2.0**-14
    found = (size < 1 << 23).select(subnormal.bitcast("i32"), normal)
    return (found | ((wide & _SIGN) << 16)).bitcast("float")


def float16_of_float(value: SsaValue) -> SsaValue:
    """A float rounded to float16, to nearest, ties to even."""
    if value.builder.converts_halves:
        return value.convert("fptrunc", "half").bitcast("i16")
    bits = value.bitcast("i32")
    size = bits & 0x7FFFFFFF
    normal = (size + (0xFFF - _REBIAS) + (size.lshr(_LOST) & 1)).lshr(_LOST)
    # The last bit of numbers from 1/2 on is worth what that of subnormal ones is: adding rounds.
    subnormal = (size.bitcast("float") + 0.5).bitcast("i32") - 0x3F000000
    found = (size < _LEAST).select(subnormal, normal)
    beyond = value.is_nan().select(value.builder.like(size, _QUIET_NAN), _INFINITY)
    found = (size >= _TOO_LARGE).select(beyond, found)
    return (found | (bits.lshr(16) & _SIGN)).convert("trunc", "i16")
