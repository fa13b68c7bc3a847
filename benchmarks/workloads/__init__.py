"""The workloads, in the order of the table. A new one is a file here and a line in this list."""

from benchmarks.workloads import (
    cnn,
    embedding,
    gan,
    googlenet,
    loops,
    lstm,
    mlp,
    overheads,
    resnet,
    resnet50,
    softmax,
    transformer,
)
from benchmarks.workloads.workload import Cost, Workload

__all__ = ["OVERHEADS", "STARTED", "WORKLOADS", "Cost", "Workload"]

WORKLOADS = {
    w.name: w
    for w in (
        softmax.FED,
        softmax.LOOP,
        mlp.NARROWEST,
        mlp.NARROW,
        mlp.WORKLOAD,
        gan.WORKLOAD,
        cnn.TRAINING,
        cnn.LATENCY,
        cnn.THROUGHPUT,
        resnet.WORKLOAD,
        resnet50.TRAINING,
        resnet50.LATENCY,
        resnet50.THROUGHPUT,
        googlenet.TRAINING,
        googlenet.LATENCY,
        googlenet.THROUGHPUT,
        transformer.WORKLOAD,
        lstm.WORKLOAD,
        lstm.DYNAMIC,
        lstm.PADDED,
        loops.SCALAR,
        loops.PRODUCT,
        loops.GRADIENT,
        *embedding.ALL,
        overheads.EMPTY,
        overheads.ADD,
    )
}
OVERHEADS = (overheads.EMPTY, overheads.ADD)  # reported in a table of their own
# Whose first step, memory and new batch size are looked at.
STARTED = (cnn.TRAINING, lstm.DYNAMIC, lstm.PADDED)
