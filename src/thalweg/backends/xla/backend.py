"""The backend: plans to programs of XLA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from thalweg.backends.protocol import BackendSettings
from thalweg.backends.xla.computation import Computation
from thalweg.backends.xla.devices import device_of
from thalweg.backends.xla.function import PlanFunction
from thalweg.backends.xla.program import XlaProgram
from thalweg.backends.xla.variables import DeviceVariables
from thalweg.base.dims import Given
from thalweg.base.dtypes import DType
from thalweg.passes.plan import Interface, Plan

PRECISIONS = ("default", "high", "highest")


class XlaBackend:
    """Compiles plans with XLA for one device.

    Each shape has a program of its own: XLA knows all extents when it compiles.

    Raises:
        ImportError: JAX is not installed.
        DeviceError: the device is not there.
        ValueError: there is no such precision of products.
    """

    def __init__(self, settings: BackendSettings) -> None:
        self._device = device_of(settings.device)
        self._precision = settings.matmul_precision
        if self._precision not in PRECISIONS:
            known = ", ".join(map(repr, PRECISIONS))
            raise ValueError(f"matmul_precision is one of {known}, not {self._precision!r}")

    def new_state(self) -> DeviceVariables:
        return DeviceVariables(self._device)

    def recall(self, signature: str, given: Sequence[Given], state: DeviceVariables) -> None:
        """Nothing: XLA's own cache finds what was compiled, once it is traced."""
        return None

    def compile(
        self,
        plan: Plan,
        seen: Interface,
        state: DeviceVariables,
        batched_feeds: Mapping[int, DType],
        signature: str | None = None,
    ) -> XlaProgram:
        with plan.trace.paused():
            function = PlanFunction(plan, seen)
            computation = Computation(function, self._device, self._precision, batched_feeds)
        plan.trace.close()
        return XlaProgram(computation, state)
