"""What object code depends on beside its text and the CPU: how LLVM is asked for it, and which."""

from __future__ import annotations

import os
from functools import cache

# The IR arrives in vector form with its invariants hoisted, so little is left to do. On a tiled
# convolution this list takes 9 ms and LLVM's O3 24 ms, for machine code of the same speed.
PASSES = (
    "always_inliner",
    "sroa",
    "simplify_cfg",
    "loop_rotate",
    "instruction_combine",
    "simplify_cfg",
)
CODEGEN_LEVEL = 2
# Pointers that move with a loop are written so, and looking for others takes LLVM as long as all
# else that it does to make code.
OPTION = "-disable-lsr"


@cache
def of_code() -> str:
    """Equal for equal texts and CPUs only if the object code is equal, too."""
    return repr((PASSES, CODEGEN_LEVEL, OPTION, of_llvm()))


@cache
def of_llvm() -> str:
    """Which LLVM it is, told without loading it: by llvmlite's version and its library's size.

    A build of llvmlite may bring another LLVM than the one with the same version from PyPI.
    """
    import llvmlite

    with os.scandir(os.path.join(os.path.dirname(llvmlite.__file__), "binding")) as files:
        libraries = sorted((f.name, f.stat().st_size) for f in files if "llvmlite" in f.name)
    return repr((llvmlite.__version__, libraries))
