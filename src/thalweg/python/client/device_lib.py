"""`from thalweg.python.client import device_lib`, as TensorFlow 1's programs write it."""

from thalweg.session.devices import list_local_devices

__all__ = ["list_local_devices"]
