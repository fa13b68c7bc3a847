"""The native backend: kernels compiled for this machine, run by a team of threads."""

from thalweg.backends.protocol import Backend, BackendSettings
from thalweg.backends.registry import register


def _make(settings: BackendSettings) -> Backend:
    from thalweg.backends.native.backend import NativeBackend  # takes 10 ms: only when needed

    return NativeBackend(settings)


register("native", _make, aliases=["llvm"])
