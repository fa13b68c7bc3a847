"""Which machine code is made for in this process."""

from __future__ import annotations

from tests.fuzz.guard import Side, use_guards
from thalweg.backends.native import backend as native
from thalweg.backends.native.library import Library
from thalweg.backends.native.llvm.jit import Jit
from thalweg.backends.native.llvm.target import Target

LEVELS = {"avx512": "x86-64-v4", "avx2": "x86-64-v3", "sse": "x86-64"}


def prepare(target: str, guard: Side | None = None) -> None:
    """Choose the target and the memory of this process; see `use_target` and `guard.py`."""
    use_target(target)
    if guard is not None:
        use_guards(guard)


def use_target(name: str) -> None:
    """Make all code from now on for the host, or for an older x86-64; none of it is kept on disk.

    Raises:
        ValueError: for a target that this machine does not have.
    """
    host = Target.host()
    target = host if name == "host" else host.restricted(LEVELS[name])
    if not all(host.has(f.strip("+")) for f in target.features.split(",") if f.startswith("+")):
        raise ValueError(f"this machine has no {name}")
    library = Library(Jit(target))
    native.shared_library = lambda: library  # type: ignore[assignment]
