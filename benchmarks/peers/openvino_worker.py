"""OpenVINO's worker: `python -m benchmarks.peers.openvino_worker THREADS`, where there is OpenVINO.

It only predicts. Where the CPU has units for bfloat16, OpenVINO would use them unless it is told to
compute in float32, as all others do.
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

openvino: Any = importlib.import_module("openvino")  # where mypy runs there may be none


class Predicting(Predictor):
    """A compiled model, asked for one answer after another.

    Args:
        data: the batches.
        model: serialised.
        threads: how many it may use.
    """

    def __init__(self, data: Data, model: bytes, threads: int) -> None:
        super().__init__(data)
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
        }
        core = openvino.Core()
        compiled = core.compile_model(core.read_model(model), "CPU", settings)
        self._request = compiled.create_infer_request()
        self._names = [each.any_name for each in compiled.inputs]

    def predict(self, inputs: Array) -> Array:
        """The output, copied out; the input is read as it lies."""
        self._request.infer(dict.fromkeys(self._names, inputs), share_inputs=True)
        return np.array(self._request.get_output_tensor().data)


def variants(workload: str, data: Data, threads: int) -> Mapping[str, Ways]:
    """The one variant of the workloads that predict."""
    model = onnx_models.model(workload, data)
    return {} if model is None else {"": [partial(Predicting, data, model, threads)]}


def main(threads: int) -> None:
    """Serve until standard input ends."""
    versions = {
        "openvino": openvino.__version__,
        "numpy": np.__version__,
        "python": sys.version.split()[0],
    }
    serve(versions, lambda workload, data: variants(workload, data, threads))


if __name__ == "__main__":
    main(int(sys.argv[1]))
