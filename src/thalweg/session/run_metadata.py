"""What a run is asked to measure, and what it has measured, in TensorFlow 1's words."""

from __future__ import annotations

from typing import Any

from thalweg.backends.trace import RunTrace
from thalweg.base.record import Record, field
from thalweg.session.op_times import step_stats
from thalweg.session.step_stats import StepStats


class RunOptions(Record, frozen=False):
    """Settings of one run.

    Attributes:
        trace_level: from `SOFTWARE_TRACE` on, the run's `RunMetadata` says when each operation ran.
        timeout_in_ms: accepted for TensorFlow 1 and ignored, as are those that follow.
    """

    trace_level: int = 0
    timeout_in_ms: int = 0
    inter_op_thread_pool: int = 0
    output_partition_graphs: bool = False
    report_tensor_allocations_upon_oom: bool = False
    NO_TRACE = 0
    SOFTWARE_TRACE = 1
    HARDWARE_TRACE = 2
    FULL_TRACE = 3


class RunMetadata(Record, frozen=False, eq=False):
    """Where a run leaves what it has measured.

    Attributes:
        trace: what ran when, if the run was traced.
        partition_graphs: accepted for TensorFlow 1; always empty.
    """

    trace: RunTrace | None = None
    partition_graphs: list[Any] = field(default_factory=list)

    @property
    def step_stats(self) -> StepStats:
        """When each operation ran; without devices unless the run was traced."""
        if self.trace is None:
            return StepStats()
        return step_stats(self.trace)
