"""The devices that JAX finds, under TensorFlow 1's names."""

from __future__ import annotations

from typing import Any

from thalweg.backends.registry import LocalDevice
from thalweg.backends.xla.runtime import jax
from thalweg.base import settings
from thalweg.base.errors import DeviceError

PLATFORMS = {"GPU": "gpu", "TPU": "tpu", "XLA_CPU": "cpu"}  # JAX's, the preferred one first


def local_devices() -> list[LocalDevice]:
    """The devices of this machine, the preferred kind first."""
    return [
        LocalDevice(kind, index, _memory_bytes(device), _description(device))
        for kind in PLATFORMS
        for index, device in enumerate(_found(kind))
    ]


def device_of(name: str) -> Any:
    """JAX's device of a name such as "GPU:0"; of "" the preferred one.

    Raises:
        DeviceError: it is not there.
    """
    there = {
        f"{kind}:{index}": device for kind in PLATFORMS for index, device in enumerate(_found(kind))
    }
    found = there.get(name) if name else next(iter(there.values()), None)
    if found is None:
        raise DeviceError(f"there is no device {name!r}; JAX finds {', '.join(there) or 'none'}")
    return found


def name_of(device: Any) -> str:
    """Thalweg's name of a device of JAX."""
    kinds = {platform: kind for kind, platform in PLATFORMS.items()}
    kind = kinds.get(device.platform, "GPU")  # JAX calls a GPU "cuda" or "rocm" in places
    return f"{kind}:{_found(kind).index(device)}"


def _found(kind: str) -> list[Any]:
    try:
        return list(jax.local_devices(backend=PLATFORMS[kind]))
    except RuntimeError:  # there is no such platform
        return []


def _memory_bytes(device: Any) -> int:
    if device.platform == "cpu":
        return settings.memory_bytes()
    return int((device.memory_stats() or {}).get("bytes_limit", 0))


def _description(device: Any) -> str:
    return settings.cpu_model() if device.platform == "cpu" else str(device.device_kind)
