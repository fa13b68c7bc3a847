"""What runs for a layer: its operations, and the kernels that the compiler made of them."""

from __future__ import annotations

from typing import Any

from thalweg.playground.experiment import Experiment

__all__ = ["Inspection"]


class Inspection:
    """Looks at the programs of networks."""

    def share_of_peak(self, experiment: Experiment) -> float | None:
        """Of the machine's peak."""
        return None

    def of_layer(self, experiment: Experiment, layer: int) -> dict[str, Any]:
        """What runs for a layer."""
        return {"type": "inspection", "layer": layer, "operations": [], "kernels": []}
