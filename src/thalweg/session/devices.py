"""The devices of a session: which there are, and the backends that they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from thalweg.backends.protocol import Backend, BackendSettings
from thalweg.backends.registry import LocalDevice, Registered, registered, serving
from thalweg.base import settings
from thalweg.base.errors import DeviceError, InvalidArgumentError
from thalweg.base.record import Record, replace
from thalweg.graph.devices import DeviceSpec
from thalweg.session.config import ConfigProto

TASK = "/job:localhost/replica:0/task:0"  # this process, in the full name of a device


class DeviceAttributes(Record):
    """What `list_devices` tells of a device.

    Attributes:
        name: of the device.
        device_type: "CPU", "GPU", "TPU" or "XLA_CPU".
        memory_limit_bytes: how much memory it has; 0 if that is not known.
        physical_device_desc: the model, for people.
        backend: what compiles for it.
    """

    name: str
    device_type: str
    memory_limit_bytes: int
    physical_device_desc: str
    backend: str

    @property
    def memory_limit(self) -> int:
        """The same as `memory_limit_bytes`."""
        return self.memory_limit_bytes


class SessionDevices:
    """Finds devices by name, and makes the backend of each when it is first used.

    Args:
        config: of the session.

    Raises:
        ValueError: it names a backend that does not exist, or counts or numbers that cannot be.
        DeviceError: its default device is not the name of a device.
    """

    def __init__(self, config: ConfigProto) -> None:
        self._config = config
        own = registered(config.backend)
        self._serving = {**serving(), **dict.fromkeys(own.kinds, own)}
        self._counts = _checked_counts(config.device_count)
        self._visible = _visible(config.gpu_options.visible_device_list)
        self._backends: dict[str, Backend] = {}
        self._found: dict[str, str] = {}
        asked = config.default_device
        if not asked and own is registered("native"):
            asked = settings.device()
        self._asked = DeviceSpec.from_string(asked)
        self._default = ""

    @property
    def default(self) -> str:
        """Where operations run that ask for no device.

        Raises:
            DeviceError: there is no such device.
        """
        if not self._default:
            spec = self._asked
            kinds = registered(self._config.backend).kinds
            if spec.device_type is None:
                there = [kind for kind in kinds if self._of_kind(kind)]
                if not there:
                    raise DeviceError(self._without_devices())
                spec = DeviceSpec(spec.job, spec.replica, spec.task, there[0], spec.device_index)
            self._default = self._there(spec)
        return self._default

    def find(self, wish: str) -> str:
        """The full name of the device that a name stands for; "" is the default one.

        Raises:
            DeviceError: there is no such device, and the session is not to take another instead.
        """
        device = self._found.get(wish)
        if device is None:
            device = self._found[wish] = self._find(wish)
        return device

    def backend(self, device: str) -> Backend:
        """What compiles for a device, by its full name."""
        if device not in self._backends:
            local = self._local(device)
            config = self._config
            threads = config.intra_op_parallelism_threads or settings.num_threads()
            precision = config.xla_options.matmul_precision
            asked = BackendSettings(threads, config.use_winograd, local.name, precision)
            self._backends[device] = self._serving[local.kind].make(asked)
        return self._backends[device]

    def present(self) -> list[DeviceAttributes]:
        """All devices that the session can use."""
        return [
            DeviceAttributes(
                _full(kind, index),
                kind,
                local.memory_bytes,
                local.description,
                self._serving[kind].name,
            )
            for kind in self._serving
            for index, local in enumerate(self._of_kind(kind))
        ]

    def clear(self) -> None:
        """Let go of the backends."""
        self._backends.clear()

    def _find(self, wish: str) -> str:
        spec = DeviceSpec.from_string(wish)
        if spec == DeviceSpec():
            return self.default
        try:
            return self._there(spec)
        except DeviceError:
            if self._config.allow_soft_placement:
                return self.default
            raise

    def _there(self, spec: DeviceSpec) -> str:
        """The full name of a device that is there.

        Raises:
            DeviceError: it is not.
        """
        if spec.job not in (None, "localhost") or spec.replica or spec.task:
            raise DeviceError(
                f"there is no {spec.to_string()!r} here: the session runs in this process, "
                f"which is {TASK!r}"
            )
        if spec.device_type is None:
            return self.default
        if spec.device_index is None and self._default.startswith(_full(spec.device_type, "")):
            return self.default
        index = spec.device_index or 0
        if index < len(self._of_kind(spec.device_type)):
            return _full(spec.device_type, index)
        raise DeviceError(self._missing(spec))

    def _missing(self, spec: DeviceSpec) -> str:
        """What to say of a device that is not there."""
        there = ", ".join(device.name.removeprefix(TASK) for device in self.present())
        lines = [f"there is no device {spec.to_string()!r} here; there are {there}"]
        kind = spec.device_type or ""
        served = self._serving.get(kind)
        if served is None:
            lines.append(f"  devices are of the kinds {', '.join(self._serving)}")
        elif served.extra and not _is_installed(served):
            lines.append(f"  devices of the kind {kind} need `pip install thalweg[{served.extra}]`")
        if not self._config.allow_soft_placement:
            lines.append(
                "  ConfigProto(allow_soft_placement=True) takes the default device instead"
            )
        return "\n".join(lines)

    def _without_devices(self) -> str:
        """What to say where the session's backend has no device."""
        own = registered(self._config.backend)
        if own.extra and not _is_installed(own):
            return f"the backend {own.name!r} needs `pip install thalweg[{own.extra}]`"
        return f"the backend {own.name!r} finds no device here"

    def _of_kind(self, kind: str) -> list[LocalDevice]:
        """The devices of a kind that the session may use, in the order of its own numbers."""
        served = self._serving.get(kind)
        found = [] if served is None else [one for one in listed(served) if one.kind == kind]
        if kind == "GPU" and self._visible is not None:
            found = [one for index in self._visible for one in found if one.index == index]
        count = self._counts.get(kind)
        if count is None or not found:
            return found
        # A program may treat one processor as several.
        return found * count if kind == "CPU" else found[:count]

    def _local(self, device: str) -> LocalDevice:
        spec = DeviceSpec.from_string(device)
        return self._of_kind(spec.device_type or "")[spec.device_index or 0]


def list_local_devices(session_config: ConfigProto | None = None) -> list[DeviceAttributes]:
    """The devices of this process, which are found without a session. It loads JAX, if installed.

    Args:
        session_config: may hide some; see `ConfigProto`.

    Raises:
        ValueError: for a configuration that cannot be.
    """
    found = SessionDevices(session_config or ConfigProto()).present()
    return [replace(one, name=one.name.removeprefix(TASK)) for one in found]


def _full(kind: str, index: int | str) -> str:
    return f"{TASK}/device:{kind}:{index}"


@cache
def listed(backend: Registered) -> tuple[LocalDevice, ...]:
    """The devices of a backend; none if what it needs is not installed."""
    try:
        return tuple(backend.devices())
    except ImportError:
        return ()


def missing_extras() -> dict[str, tuple[str, ...]]:
    """The extras of the package that backends lack, with the kinds of devices they are for."""
    backends = {*serving().values()}
    return {one.extra: one.kinds for one in backends if one.extra and not _is_installed(one)}


def _is_installed(backend: Registered) -> bool:
    try:
        backend.devices()
    except ImportError:
        return False
    return True


def _checked_counts(counts: Mapping[str, Any]) -> dict[str, int]:
    for kind, count in counts.items():
        least = int(kind.upper() == "CPU")  # Python runs there
        if not isinstance(count, int) or count < least:
            raise InvalidArgumentError(
                f"device_count: expected a whole number of at least {least} for {kind!r}, "
                f"not {count!r}"
            )
    return {kind.upper(): count for kind, count in counts.items()}


def _visible(text: str) -> list[int] | None:
    """The numbers of `visible_device_list`; None for all.

    Raises:
        InvalidArgumentError: it is no list of different numbers.
    """
    if not text:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and len(part) < 5 for part in parts) or len({*parts}) < len(parts):
        raise InvalidArgumentError(
            f"visible_device_list: expected different numbers such as '0,2', not {text!r}"
        )
    return [int(part) for part in parts]
