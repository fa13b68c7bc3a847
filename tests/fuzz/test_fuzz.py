"""A share of what `python -m tests.fuzz` can do, in child processes."""

from __future__ import annotations

import pytest

from tests import shares
from tests.fuzz.__main__ import arguments_of
from tests.fuzz.children import findings
from tests.fuzz.generator import Line, Program
from tests.fuzz.guard import Side
from tests.fuzz.menu import program
from tests.fuzz.samples import SAMPLED
from tests.shares import at_most
from thalweg.backends.native.llvm.target import Target

JOBS = 2
X86 = pytest.mark.skipif(Target.host().architecture != "x86_64", reason="needs an x86-64")
GUARDED = [
    pytest.param("end", "host", 2000, id="end"),
    pytest.param("begin", "host", 3000, id="begin"),
    pytest.param("end", "avx2", 4000, id="end-avx2", marks=X86),
    pytest.param("end", "sse", 6000, id="end-sse", marks=X86),
]


def _check(
    kind: str, first: int, count: int, target: str = "host", guard: Side | None = None
) -> None:
    """No case may end in anything but success."""
    arguments = arguments_of(kind, target, guard)
    found = [f for f in findings(arguments, first, count, JOBS) if f is not None]
    command = " ".join(["python", *arguments[:-1]])
    report = [f"{command} --seed {f.case} --count 1\n{f.kind}: {f.text}" for f in found]
    assert not report, "\n\n".join(report)


def test_programs_compute_what_they_mean() -> None:
    _check("programs", 1000, at_most(16, 300))


@pytest.mark.parametrize(("guard", "target", "seed"), GUARDED)
def test_programs_stay_within_their_arrays(guard: Side, target: str, seed: int) -> None:
    _check("programs", seed, at_most(4, 60), target, guard)


@pytest.mark.parametrize(("guard", "target", "seed"), GUARDED)
def test_samples_stay_within_their_arrays(guard: Side, target: str, seed: int) -> None:
    """A quarter of the records at the end of memory on this machine, a twelfth in other ways."""
    part, is_first = len(SAMPLED) // 12, guard == "end" and target == "host"
    start, share = (0, 3 * part) if is_first else ((3 + seed // 1000) * part, part)
    if shares.ALL:
        start, share = 0, len(SAMPLED)
    _check("samples", start, share, target, guard)


def test_loops_compute_what_they_mean() -> None:
    _check("loops", 0, at_most(3, 50))


@pytest.mark.parametrize(("guard", "target", "seed"), GUARDED[:2])
def test_loops_stay_within_their_arrays(guard: Side, target: str, seed: int) -> None:
    _check("loops", seed, at_most(1, 20), target, guard)


def test_convolutions_and_their_gradients() -> None:
    _check("convolutions", 0, at_most(12, 200))


def test_convolutions_of_networks() -> None:
    _check("light-corpus", 0, at_most(8, 60))


def test_the_same_seed_makes_the_same_program() -> None:
    assert program(17) == program(17)
    assert program(17) != program(18)


def test_programs_lose_what_needs_a_line_that_goes() -> None:
    lines = (Line("v0", "b.feed([2], 'float32', 0)"), Line("v1", "tf.exp(v0)"), Line("v2", "b.f()"))
    whole = Program(lines, ("v1", "v2"), "sizes=[1]")
    assert whole.without("v0") == Program(lines[2:], ("v2",), "sizes=[1]")
