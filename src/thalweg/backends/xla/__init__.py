"""XLA as a backend, through JAX: GPUs, TPUs, and the CPU as XLA compiles for it."""

from collections.abc import Sequence

from thalweg.backends.protocol import Backend, BackendSettings
from thalweg.backends.registry import LocalDevice, register


def _make(settings: BackendSettings) -> Backend:
    from thalweg.backends.xla.backend import XlaBackend  # only when needed, as it loads JAX

    return XlaBackend(settings)


def _devices() -> Sequence[LocalDevice]:
    from thalweg.backends.xla.devices import local_devices

    return local_devices()


register("xla", _make, ["jax"], kinds=("GPU", "TPU", "XLA_CPU"), devices=_devices, extra="xla")
