"""What was measured, as plain data."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


def digits(number: float) -> str:
    """A number's three leading digits, without an exponent."""
    leading = float(f"{number:.3g}")
    decimals = 2 - math.floor(math.log10(abs(leading))) if leading else 0
    text = f"{leading:,.{max(decimals, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


OURS, SINGLE = "Thalweg", "Thalweg, one thread"  # labels


@dataclass(frozen=True)
class Side:
    """One system's rounds of a workload, in one variant.

    Attributes:
        system: its label.
        variant: how it was run, if it can be run in several ways that a user would know of.
        ms_per_step: of each round, in order; empty if it could not run.
        way: the fastest way of that variant, by trials, if there was a choice.
        not_run: why it could not run, if so.
        wrong: what is wrong with the values that it computed, if something is.
    """

    system: str
    variant: str
    ms_per_step: Sequence[float] = ()
    way: str = ""
    not_run: str = ""
    wrong: str = ""

    @property
    def name(self) -> str:
        """System and variant."""
        return f"{self.system} {self.variant}".strip()

    @property
    def missing(self) -> str:
        """Why there is no time to compare; empty if there is one."""
        if self.wrong:
            return f"FAILED: {self.wrong}"
        return f"not run: {self.not_run}" if self.not_run else ""

    @property
    def median(self) -> float:
        """Milliseconds per step."""
        return statistics.median(self.ms_per_step)


@dataclass(frozen=True)
class Result:
    """A workload's sides; all took turns in the same minutes.

    Attributes:
        sides: Thalweg first, if it took part.
        difference: the largest relative difference of the values in the check, of the sides that
            passed it.
        tolerance: what was allowed.
        others: cores that other programs kept busy, on average, between the rounds.
        flops: floating-point operations of a step, of its contractions alone; 0 if not counted.
        bytes: what a step must read and write.
        limit_ms: the least time in which this machine could make a step; 0 if not counted.
    """

    name: str
    title: str
    sides: Sequence[Side]
    difference: float
    tolerance: float
    others: float
    flops: float = 0.0
    bytes: float = 0.0
    limit_ms: float = 0.0

    @property
    def measured(self) -> list[Side]:
        """The sides that ran, and computed what they should."""
        return [side for side in self.sides if not side.missing]

    @property
    def thalweg(self) -> Side | None:
        """Thalweg's side, if it took part."""
        return self._of(OURS)

    @property
    def single(self) -> Side | None:
        """Thalweg's side with one thread, if it took part."""
        return self._of(SINGLE)

    def _of(self, system: str) -> Side | None:
        return next((side for side in self.measured if side.system == system), None)

    @property
    def fastest_peer(self) -> Side | None:
        """The fastest side that is not Thalweg's."""
        peers = [side for side in self.measured if side.system not in (OURS, SINGLE)]
        return min(peers, key=lambda side: side.median, default=None)

    @property
    def ratio(self) -> float | None:
        """How many times faster Thalweg's step is than that of the fastest peer."""
        if self.thalweg is None or self.fastest_peer is None:
            return None
        return self.fastest_peer.median / self.thalweg.median

    @property
    def by_threads(self) -> float | None:
        """How many times longer Thalweg's step takes than its step on one thread."""
        if self.thalweg is None or self.single is None:
            return None
        return self.thalweg.median / self.single.median

    def share_of_limit(self, side: Side) -> float | None:
        """The machine's least time as a share of a side's; None if it was not counted."""
        return self.limit_ms / side.median if self.limit_ms else None


@dataclass(frozen=True)
class ImportTime:
    """Milliseconds to import a package where NumPy is already loaded, in each fresh process."""

    system: str
    package: str
    ms: Sequence[float]

    @property
    def median(self) -> float:
        """Milliseconds."""
        return statistics.median(self.ms)


@dataclass(frozen=True)
class Start:
    """What it takes to begin training, in fresh processes.

    Attributes:
        workload: its name.
        system: its label.
        variant: as in `Side`.
        cold_seconds: to build it and make the first step, with nothing cached.
        warm_seconds: the same with whatever an earlier process left on disk.
        new_batch_seconds: how much longer the first step at another batch size takes.
        peak_bytes: the most memory that the process held.
    """

    workload: str
    system: str
    variant: str
    cold_seconds: Sequence[float]
    warm_seconds: Sequence[float]
    new_batch_seconds: Sequence[float]
    peak_bytes: Sequence[float]

    @property
    def name(self) -> str:
        """System and variant."""
        return f"{self.system} {self.variant}".strip()


@dataclass(frozen=True)
class Limits:
    """What the machine can do, with as many threads as everybody has.

    Attributes:
        flops: floating-point operations a second, in registers.
        bandwidths: bytes a second by the size of the arrays that are read or updated.
    """

    flops: float
    bandwidths: Mapping[int, float]

    def milliseconds(self, flops: float, bytes: float, footprint: float) -> float:
        """The least time in which so much can be computed, and so much moved.

        Args:
            flops: floating-point operations.
            bytes: read and written.
            footprint: bytes in use: those of a footprint smaller than a measured array count as if
                they came from the cache that holds the next smaller array.
        """
        fitting = [size for size in self.bandwidths if size <= footprint]
        bandwidth = self.bandwidths[max(fitting, default=min(self.bandwidths))]
        return max(flops / self.flops, bytes / bandwidth) * 1e3


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
    limits: Limits


@dataclass(frozen=True)
class Report:
    """Everything one call of the command measured.

    Attributes:
        notes: what could not be measured beside the workloads, and why.
        busy: how many spinning processes ran beside every system.
    """

    date: str
    rounds: int
    machine: Machine
    results: Sequence[Result]
    overheads: Sequence[Result] = ()
    imports: Sequence[ImportTime] = ()
    starts: Sequence[Start] = ()
    notes: Sequence[str] = ()
    busy: int = 0

    @property
    def wrong(self) -> list[str]:
        """A line for each side whose values were wrong."""
        return [
            f"{result.name}: {side.name}: {side.wrong}"
            for result in (*self.results, *self.overheads)
            for side in result.sides
            if side.wrong
        ]

    @property
    def disturbed(self) -> bool:
        """Whether other programs took part of the machine."""
        return self.others > 0.1

    @property
    def others(self) -> float:
        """Cores that other programs kept busy in the worst workload."""
        return max((r.others for r in (*self.results, *self.overheads)), default=0.0)

    def to_json(self) -> dict[str, Any]:
        """Plain data: all that was measured, and the medians and ratios that follow from it."""
        data = asdict(self)
        for group in ("results", "overheads"):
            for entry, result in zip(data[group], getattr(self, group), strict=True):
                entry["ratio"] = result.ratio
                entry["by_threads"] = result.by_threads
                for side in entry["sides"]:
                    if times := side["ms_per_step"]:
                        side["median_ms"] = statistics.median(times)
        for entry, time in zip(data["imports"], self.imports, strict=True):
            entry["median_ms"] = time.median
        data["disturbed"] = self.disturbed
        return data
