"""All programs, by name."""

from __future__ import annotations

from tests.compat_v1 import arrays, control, mathematics, training
from tests.compat_v1.bench import Program

PROGRAMS: dict[str, Program] = {
    **arrays.PROGRAMS,
    **control.PROGRAMS,
    **mathematics.PROGRAMS,
    **training.PROGRAMS,
}

# Programs that must fail, here and in TensorFlow.
FAILING = {
    "parts/gather_outside",
    "parts/gather_nd_outside",
    "parts/slice_outside",
    "arrays/assert_fails",
    "arrays/check_numerics",
    "arrays/string_to_number_bad",
    "control/out_of_range_in_loop",
}
