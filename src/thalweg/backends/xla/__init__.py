"""XLA as a backend, through JAX: GPUs, TPUs, and the CPU as XLA compiles for it."""

from collections.abc import Sequence

from thalweg.backends.protocol import Backend, BackendSettings
from thalweg.backends.registry import LocalDevice, register


def _need_jax() -> None:
    try:
        import jax  # noqa: F401
    except ImportError as error:
        raise ImportError("the backend 'xla' needs `pip install thalweg[xla]`") from error


def _make(settings: BackendSettings) -> Backend:
    _need_jax()
    from thalweg.backends.xla.backend import XlaBackend  # only when needed

    return XlaBackend(settings)


def _devices() -> Sequence[LocalDevice]:
    _need_jax()
    from thalweg.backends.xla.devices import local_devices

    return local_devices()


register("xla", _make, ["jax"], kinds=("GPU", "TPU", "XLA_CPU"), devices=_devices, extra="xla")
