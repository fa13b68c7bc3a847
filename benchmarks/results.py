"""What was measured, as plain data."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Side:
    """One system's rounds of a workload.

    Attributes:
        ms_per_step: of each round, in order.
        losses: of the check's steps.
        variant: how it was run, if there was a choice.
    """

    ms_per_step: Sequence[float]
    losses: Sequence[float]
    variant: str = ""

    @property
    def median(self) -> float:
        """Milliseconds per step."""
        return statistics.median(self.ms_per_step)


@dataclass(frozen=True)
class Result:
    """A workload's two sides; both took turns in the same minutes.

    Attributes:
        difference: the largest relative difference of the losses in the check.
        tolerance: what was allowed.
        others: cores that other programs kept busy, on average, between the rounds.
    """

    name: str
    title: str
    thalweg: Side
    peer: Side
    difference: float
    tolerance: float
    others: float

    @property
    def ratio(self) -> float:
        """How many times faster Thalweg's step is."""
        return self.peer.median / self.thalweg.median


@dataclass(frozen=True)
class ImportTime:
    """Milliseconds to import a package where NumPy is already loaded, in each fresh process."""

    package: str
    ms: Sequence[float]

    @property
    def median(self) -> float:
        """Milliseconds."""
        return statistics.median(self.ms)


@dataclass(frozen=True)
class Machine:
    """Where it was measured.

    Attributes:
        cpu: the model.
        cores: what the process may use.
        versions: of the packages, by system.
    """

    cpu: str
    cores: int
    threads: int
    system: str
    versions: dict[str, dict[str, str]]


@dataclass(frozen=True)
class Report:
    """Everything one call of the command measured."""

    date: str
    rounds: int
    machine: Machine
    results: Sequence[Result]
    imports: Sequence[ImportTime] = field(default_factory=list)

    @property
    def disturbed(self) -> bool:
        """Whether other programs took part of the machine."""
        return self.others > 0.1

    @property
    def others(self) -> float:
        """Cores that other programs kept busy in the worst workload."""
        return max((result.others for result in self.results), default=0.0)

    def to_json(self) -> dict[str, Any]:
        """Plain data: all that was measured, and the medians and ratios that follow from it."""
        data = asdict(self)
        for entry, result in zip(data["results"], self.results, strict=True):
            entry["thalweg"]["median_ms"] = result.thalweg.median
            entry["peer"]["median_ms"] = result.peer.median
            entry["ratio"] = result.ratio
        for entry, time in zip(data["imports"], self.imports, strict=True):
            entry["median_ms"] = time.median
        data["disturbed"] = self.disturbed
        return data
