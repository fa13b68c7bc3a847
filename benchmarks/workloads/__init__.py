"""The workloads, in the order of the table. A new one is a file here and a line in this list."""

from benchmarks.workloads import cnn, softmax
from benchmarks.workloads.workload import Arrays, Workload

__all__ = ["WORKLOADS", "Arrays", "Workload"]

WORKLOADS = {w.name: w for w in (softmax.WORKLOAD, cnn.WORKLOAD)}
