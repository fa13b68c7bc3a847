"""Device strings: which ones exist here, and how nested ones combine."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from thalweg.base.errors import DeviceError

_DEVICE = re.compile(
    r"^(/job:\w+)?(/replica:\d+)?(/task:\d+)?(/?(?:device:)?(?P<kind>[a-zA-Z]+):(?P<number>\d+|\*))?$"
)


def check_device(device: str | Callable[[Any], str] | None, outer: str) -> str:
    """The canonical device in force inside a `device` block.

    Args:
        device: such as "/cpu:0" or "/device:CPU:0"; None or "" for no preference. Functions of
            TensorFlow 1 that choose a device for each operation are accepted and not consulted:
            there is one device.
        outer: the device around the block.

    Raises:
        DeviceError: if the text is no device, or names one that is not here.
    """
    if device is None or device == "":
        return ""
    if callable(device):
        return outer
    match = _DEVICE.match(device)
    if match is None:
        raise DeviceError(f"{device!r} is not a device; write '/cpu:0' or '/device:CPU:0'")
    if match["kind"] is None:
        return outer or device
    if match["kind"].upper() != "CPU" or match["number"] not in ("0", "*"):
        raise DeviceError(f"there is no device {device!r} here; the only one is '/device:CPU:0'")
    return "/device:CPU:0"
