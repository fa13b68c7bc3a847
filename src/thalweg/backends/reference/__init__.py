"""The reference backend: NumPy, one operation after the other. The others must compute the same."""

from thalweg.backends.protocol import Backend, BackendSettings
from thalweg.backends.registry import register


def _make(settings: BackendSettings) -> Backend:
    from thalweg.backends.reference.backend import ReferenceBackend  # only when needed

    return ReferenceBackend()


register("reference", _make, aliases=["numpy"])
