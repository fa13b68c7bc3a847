"""Random programs on every backend, against what their records say in float64.

python -m tests.fuzz --seed 0 --count 1000 [--target host|avx512|avx2|sse]
    [--guard end|begin] [--jobs 2]
python -m tests.fuzz --convolutions ...    random convolutions and their gradients
python -m tests.fuzz --corpus ...          those of well-known networks
python -m tests.fuzz --loops ...           random loops and branches in each other
python -m tests.fuzz --show 17             print the program of a seed
python -m tests.fuzz --shrink 17           make a failing program smaller, and print it
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from tests.fuzz.bench import WrongResultError
from tests.fuzz.children import Finding, findings, serve
from tests.fuzz.convolutions import corpus, light_corpus, random_convolution
from tests.fuzz.loops import RandomLoops
from tests.fuzz.machines import prepare
from tests.fuzz.menu import program
from tests.fuzz.samples import SAMPLED, run_samples
from tests.fuzz.shrink import shrink

TARGETS = ["host", "avx512", "avx2", "sse"]


def run_program(seed: int) -> None:
    """Check a random program."""
    made = program(seed)
    if made.fetches:
        made.run()


def run_convolution(seed: int) -> None:
    """Check a random convolution."""
    random_convolution(seed).run()


def run_layer(number: int) -> None:
    """Check a convolution of the corpus."""
    corpus()[number].run()


def run_light_layer(number: int) -> None:
    """Check a convolution of the light part of the corpus."""
    light_corpus()[number].run()


def run_loops(seed: int) -> None:
    """Check a random program of loops and branches."""
    RandomLoops(seed).run()


RUNS = {
    "programs": run_program,
    "convolutions": run_convolution,
    "corpus": run_layer,
    "light-corpus": run_light_layer,
    "samples": run_samples,
    "loops": run_loops,
}
LIMITS = {"corpus": len(corpus()), "light-corpus": len(light_corpus()), "samples": len(SAMPLED)}


def main() -> int:
    options = _options()
    if options.show is not None:
        print(program(options.show).text)
        return 0
    if options.shrink is not None:
        print(shrink(program(options.shrink), _prelude(options)).text)
        return 0
    if options.serve:
        prepare(options.target, options.guard)
        with np.errstate(all="ignore"):
            first, count = options.serve
            serve(first, count, RUNS[options.kind], WrongResultError)
        return 0
    return _report(options)


def _prelude(options: argparse.Namespace) -> str:
    """What stands before a program's text so that it runs on the target."""
    return f"from tests.fuzz.machines import use_target\nuse_target({options.target!r})\n"


def _report(options: argparse.Namespace) -> int:
    limit = LIMITS.get(options.kind)
    count = options.count if limit is None else max(min(options.count, limit - options.seed), 0)
    start, found = time.perf_counter(), list[Finding]()
    done = findings(child_arguments(options), options.seed, count, options.jobs)
    for number, finding in enumerate(done):
        if finding is not None:
            found.append(finding)
            print(f"seed {finding.case}: {finding.kind}: {finding.text}\n", flush=True)
        if number % 500 == 499:
            print(f"... {number + 1} {options.kind}, {len(found)} findings", flush=True)
    seeds = " ".join(str(one.case) for one in found)
    guarded = f", guarded at the {options.guard}" if options.guard else ""
    print(
        f"{count} {options.kind} from seed {options.seed} for {options.target}{guarded} in "
        f"{time.perf_counter() - start:.0f} s: {len(found)} findings{': ' if found else ''}{seeds}"
    )
    return bool(found)


def child_arguments(options: argparse.Namespace) -> list[str]:
    """Those of a Python that runs cases."""
    return arguments_of(options.kind, options.target, options.guard)


def arguments_of(kind: str, target: str = "host", guard: str | None = None) -> list[str]:
    """The same by their values."""
    chosen = ["--target", target, *(["--guard", guard] if guard else [])]
    if kind != "programs":
        chosen.append(f"--{kind}")
    return ["-m", "tests.fuzz", *chosen, "--serve"]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the first program")
    parser.add_argument("--count", type=int, default=200, help="how many programs")
    parser.add_argument("--target", choices=TARGETS, default="host")
    parser.add_argument("--guard", choices=["end", "begin"], help="see `guard.py`")
    parser.add_argument("--jobs", type=int, default=1, help="how many processes")
    for kind in list(RUNS)[1:]:
        parser.add_argument(f"--{kind}", dest="kind", action="store_const", const=kind)
    parser.set_defaults(kind="programs")
    parser.add_argument("--show", type=int, metavar="SEED", help="print a program")
    parser.add_argument("--shrink", type=int, metavar="SEED", help="print a smaller program")
    parser.add_argument("--serve", type=int, nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
