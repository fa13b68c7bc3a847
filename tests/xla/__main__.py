"""All of XLA's tests, of which the suite runs a share.

    python -m tests.xla [--samples] [--networks]

By default both: the samples of all operations in all floating dtypes, with their gradients, and the
networks of the benchmarks as XLA's text for GPUs and TPUs, which need not be there.
"""

from __future__ import annotations

import argparse
import os
import sys

from benchmarks.workloads import WORKLOADS, graph_model
from tests.xla.samples import DIFFERENTIABLE, SAMPLED, check_gradients, check_samples

DTYPES = ("float32", "float64", "float16", "bfloat16")
NETWORKS = ("softmax", "mlp", "gan", "cnn", "resnet", "resnet50", "googlenet", "transformer")
RECURRENT = ("lstm", "lstm_dynamic", "lstm_500")
PLATFORMS = ("cuda", "tpu")


def main() -> int:
    """Try everything that is asked for; the process's exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.xla", description=__doc__)
    parser.add_argument("--samples", action="store_true", help="only these")
    parser.add_argument("--networks", action="store_true", help="only these")
    options = parser.parse_args()
    os.environ["THALWEG_STRICT"] = "1"
    findings = []
    if options.samples or not options.networks:
        findings += samples()
    if options.networks or not options.samples:
        findings += networks()
    print("\n".join(findings), f"{len(findings)} findings", sep="\n")
    return bool(findings)


def samples() -> list[str]:
    """What is wrong with samples."""
    found = []
    for record in SAMPLED:
        for dtype in DTYPES:
            try:
                check_samples(record, [dtype])
            except Exception as error:
                found.append(f"{record.__name__}, {dtype}: {str(error)[:300]}")
    for record in DIFFERENTIABLE:
        try:
            check_gradients(record)
        except Exception as error:
            found.append(f"gradient of {record.__name__}: {str(error)[:300]}")
    return found


def networks() -> list[str]:
    """What is wrong with networks."""
    found = []
    graph_model.BACKEND[0] = "xla"
    for name in (*NETWORKS, *RECURRENT):
        workload = WORKLOADS[name]
        program = workload.build(workload.data(), 1).program()  # type: ignore[attr-defined]
        for platform in PLATFORMS:
            try:
                size = len(program.stablehlo(platform))
                print(f"{name}, {platform}: {size:,} characters of StableHLO", flush=True)
            except Exception as error:
                found.append(f"{name}, {platform}: {type(error).__name__}: {str(error)[:300]}")
    return found


if __name__ == "__main__":
    sys.exit(main())
