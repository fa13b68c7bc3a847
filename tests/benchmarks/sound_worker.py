"""A worker that does every workload as it should: `python -m tests.benchmarks.sound_worker`."""

from __future__ import annotations

from functools import partial

from benchmarks.protocol import serve
from tests.benchmarks.fake_worker import Summing

if __name__ == "__main__":
    serve({}, lambda workload, data: {"good": [partial(Summing, data)]})
