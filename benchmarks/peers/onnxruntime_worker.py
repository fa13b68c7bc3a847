"""ONNX Runtime's worker: `python -m benchmarks.peers.onnxruntime_worker THREADS`, where it is.

It only predicts. Its graph optimisations are all on, which is its default.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from benchmarks.models import Array, Data, Predictor
from benchmarks.peers import onnx_models
from benchmarks.protocol import Ways, serve

onnxruntime: Any = importlib.import_module("onnxruntime")  # where mypy runs there may be none


class Predicting(Predictor):
    """A model in a session.

    Args:
        data: the batches.
        model: serialised.
        threads: how many work on one operation; operations run one after another.
    """

    def __init__(self, data: Data, model: bytes, threads: int) -> None:
        super().__init__(data)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        providers = ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(model, options, providers=providers)
        self._names = [each.name for each in self._session.get_inputs()]

    def predict(self, inputs: Array) -> Array:
        """The output."""
        feeds = dict.fromkeys(self._names, inputs)
        return self._session.run(None, feeds)[0]  # type: ignore[no-any-return]


def variants(workload: str, data: Data, threads: int) -> Mapping[str, Ways]:
    """The one variant of the workloads that predict."""
    model = onnx_models.model(workload, data)
    return {} if model is None else {"": [partial(Predicting, data, model, threads)]}


def main(threads: int) -> None:
    """Serve until standard input ends."""
    versions = {
        "onnxruntime": onnxruntime.__version__,
        "numpy": np.__version__,
        "python": sys.version.split()[0],
    }
    serve(versions, lambda workload, data: variants(workload, data, threads))


if __name__ == "__main__":
    main(int(sys.argv[1]))
