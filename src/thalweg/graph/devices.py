"""The names of devices, and which one an operation is asked to run on.

A name has up to five fields, any of which may be left out:

    /job:worker/replica:0/task:1/device:GPU:0       in full
    /job:ps/task:2        /gpu:0        /device:TPU:*        gpu:1

What a graph notes on its operations is no more than a wish. Whether there is such a device is found
out when a session runs them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from thalweg.base.errors import DeviceError
from thalweg.base.record import Record
from thalweg.base.source import caller

if TYPE_CHECKING:
    from thalweg.graph.node import Operation

__all__ = ["DeviceFunction", "DeviceLike", "DeviceScope", "DeviceSpec", "canonical", "merged"]

_JOB = re.compile(r"job:([a-zA-Z][\w.-]*)")
_NUMBERED = re.compile(r"(replica|task):(\d{1,9})")
_KIND = r"(?:device:([a-z]\w*)|(cpu|gpu|tpu|xla_cpu))"
_DEVICE = re.compile(_KIND + r"(?::(\d{1,9}|\*))?", re.IGNORECASE)


class DeviceSpec(Record, frozen=False):
    """The fields of a device's name; None for one that is left open.

    Attributes:
        job: the name of a group of processes, such as "ps".
        replica: a number.
        task: the number of a process of the job.
        device_type: "CPU", "GPU", "TPU", "XLA_CPU" or another kind, in capitals.
        device_index: the number of the device among those of its kind in the process; None for any.
    """

    job: str | None = None
    replica: int | None = None
    task: int | None = None
    device_type: str | None = None
    device_index: int | None = None

    @staticmethod
    def from_string(spec: str) -> DeviceSpec:
        """The fields of a name.

        Raises:
            DeviceError: if it is not the name of a device.
        """
        return DeviceSpec().parse_from_string(spec)

    def parse_from_string(self, spec: str) -> DeviceSpec:
        """Take the fields of a name, and return this object.

        Raises:
            DeviceError: if it is not the name of a device.
        """
        fields = _parsed(spec)
        for name in self.fields:
            setattr(self, name, fields.get(name))
        return self

    def merge_from(self, dev: DeviceSpec) -> None:
        """Take the fields that another one has, and keep this one's where it has none.

        Type and index go together: "/gpu:*" takes the place of "/cpu:1" as a whole.
        """
        if dev.device_type is not None:
            self.device_index = None
        for name in self.fields:
            value = getattr(dev, name)
            if value is not None:
                setattr(self, name, value)

    def to_string(self) -> str:
        """The name, in its canonical form."""
        parts = [
            f"/{name}:{getattr(self, name)}"
            for name in ("job", "replica", "task")
            if getattr(self, name) is not None
        ]
        if self.device_type is not None:
            index = "*" if self.device_index is None else self.device_index
            parts.append(f"/device:{self.device_type}:{index}")
        return "".join(parts)


# What `tf.device` takes. A function is asked for the device of each operation.
DeviceFunction: TypeAlias = Callable[[Any], Union[str, "DeviceSpec", None]]
DeviceLike: TypeAlias = Union[str, "DeviceSpec", DeviceFunction, None]


def _parsed(text: str) -> dict[str, Any]:
    """The fields that a name has."""
    if not isinstance(text, str):
        raise DeviceError(f"{text!r} is not the name of a device\n  at {caller()}")
    found: dict[str, Any] = {}
    for part in filter(None, text.split("/")):
        fields = _fields(part)
        if not fields:
            raise _no_device(text, f"{part!r} is no field of one")
        if not found.keys().isdisjoint(fields):
            raise _no_device(text, f"{part!r} gives a field twice")
        found |= fields
    return found


def _fields(part: str) -> dict[str, Any]:
    """The fields that a part of a name says; none if it is no part of one."""
    if match := _JOB.fullmatch(part):
        return {"job": match[1]}
    if match := _NUMBERED.fullmatch(part):
        return {match[1]: int(match[2])}
    if match := _DEVICE.fullmatch(part):
        kind, index = match[1] or match[2], match[3] or "*"
        return {
            "device_type": kind.upper(),
            "device_index": None if index == "*" else int(index),
        }
    return {}


def _no_device(text: str, problem: str) -> DeviceError:
    return DeviceError(
        f"{text!r} is not the name of a device: {problem}; write, for example, '/gpu:0', "
        f"'/device:XLA_CPU:1' or '/job:worker/task:1/cpu:0'\n  at {caller()}"
    )


@cache
def _canonical(text: str) -> str:
    return DeviceSpec.from_string(text).to_string()


def canonical(device: str | DeviceSpec | None) -> str:
    """A device's name in its canonical form; "" for None.

    Raises:
        DeviceError: if it is not the name of a device.
    """
    if device is None:
        return ""
    return device.to_string() if isinstance(device, DeviceSpec) else _canonical(device)


@cache
def merged(outer: str, inner: str) -> str:
    """The name that has the fields of both; those of the inner one win.

    Args:
        outer: a canonical name.
        inner: another one.
    """
    spec = DeviceSpec.from_string(outer)
    spec.merge_from(DeviceSpec.from_string(inner))
    return spec.to_string()


class DeviceScope(Record):
    """What decides about the devices of new operations.

    Attributes:
        blocks: of `tf.device`, the innermost last: canonical names, and functions.
        colocated: operations that new ones are to be with, the innermost last.
    """

    blocks: tuple[str | DeviceFunction, ...] = ()
    colocated: tuple[Operation, ...] = ()

    def inside(self, device: DeviceLike) -> DeviceScope:
        """The scope in a block of `tf.device` in this one; None forgets the blocks around it.

        Raises:
            DeviceError: if it is not the name of a device.
        """
        if device is None:
            return DeviceScope((), self.colocated)
        block = device if callable(device) else canonical(device)
        return DeviceScope((*self.blocks, block), self.colocated) if block else self

    def assign(self, op: Operation) -> None:
        """Note on a new operation where it is to run.

        As in TensorFlow, a function sees the device that the blocks inside its own have chosen, and
        what it returns replaces that.

        Raises:
            DeviceError: if a function returns what is not the name of a device.
        """
        for block in reversed(self.blocks):
            if callable(block):
                op.device = canonical(block(op))
            else:
                op.device = merged(block, op.device)
        for other in self.colocated:
            op.device = other.device or op.device


NOWHERE = DeviceScope()
