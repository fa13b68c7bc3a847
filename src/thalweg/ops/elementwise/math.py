"""The elementwise functions of all groups, under one roof."""

from __future__ import annotations

from thalweg.ops.elementwise import (
    arithmetic,
    classification,
    comparison,
    conversion,
    division,
    exponential,
    extremes,
    hyperbolic,
    logical,
    power,
    rounding,
    saturation,
    selection,
    special,
    trigonometric,
)
from thalweg.ops.elementwise.arithmetic import *
from thalweg.ops.elementwise.classification import *
from thalweg.ops.elementwise.comparison import *
from thalweg.ops.elementwise.conversion import *
from thalweg.ops.elementwise.division import *
from thalweg.ops.elementwise.exponential import *
from thalweg.ops.elementwise.extremes import *
from thalweg.ops.elementwise.hyperbolic import *
from thalweg.ops.elementwise.logical import *
from thalweg.ops.elementwise.power import *
from thalweg.ops.elementwise.rounding import *
from thalweg.ops.elementwise.saturation import *
from thalweg.ops.elementwise.selection import *
from thalweg.ops.elementwise.special import *
from thalweg.ops.elementwise.trigonometric import *

_GROUPS = (
    arithmetic,
    classification,
    comparison,
    conversion,
    division,
    exponential,
    extremes,
    hyperbolic,
    logical,
    power,
    rounding,
    saturation,
    selection,
    special,
    trigonometric,
)
NAMES = tuple(name for group in _GROUPS for name in group.__all__)
