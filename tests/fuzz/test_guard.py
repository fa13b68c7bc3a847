"""The guards themselves: they must notice what they are for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.fuzz.children import Finding, findings
from tests.fuzz.guard import NOTES, PAGE, UNWRITTEN, Apart, Guards, Side, last_kernel
from thalweg.base import dtypes
from thalweg.kernels.values import Temporary, Value

TOUCH = """
import ctypes, numpy as np
from tests.fuzz.guard import Guards
from thalweg.backends.state import address_of
array = Guards({side!r}).{make}
ctypes.{access}
print("survived")
"""
END, BEGIN = "end", "begin"


def _ended(side: str, make: str, access: str) -> int:
    command = [sys.executable, "-c", TOUCH.format(side=side, make=make, access=access)]
    return subprocess.run(command, capture_output=True).returncode


@pytest.mark.parametrize(
    ("side", "place", "code"),
    [
        (END, "array.nbytes - 1", 0),
        (END, "array.nbytes", -signal.SIGSEGV),
        (BEGIN, "0", 0),
        (BEGIN, "-1", -signal.SIGSEGV),
    ],
)
def test_an_access_outside_of_an_array_ends_the_process(side: str, place: str, code: int) -> None:
    access = f"string_at(address_of(array) + {place}, 1)"
    assert _ended(side, "empty((3, 5), np.float32)", access) == code


@pytest.mark.parametrize(
    ("make", "code"), [("copy(np.ones(3))", 0), ("constant(np.ones(3))", -signal.SIGSEGV)]
)
def test_constants_cannot_be_written(make: str, code: int) -> None:
    assert _ended(END, make, "memset(address_of(array), 0, 8)") == code


@pytest.mark.parametrize("side", [END, BEGIN])
@pytest.mark.parametrize("shape", [(), (0,), (5000, 3)])
def test_arrays_are_like_any_others(side: Side, shape: tuple[int, ...]) -> None:
    guards = Guards(side)
    array = guards.empty(shape, np.float64)
    assert array.shape == shape
    assert np.isnan(array).all()
    assert (guards.empty(shape, np.uint8) == UNWRITTEN).all()
    assert not guards.zeros(shape, np.int64).any()
    np.testing.assert_array_equal(guards.copy(np.full(shape, 2.5)), np.full(shape, 2.5))


TEMPORARIES = """
import ctypes, sys
from tests.fuzz.guard import Apart, ArenaMemory, Guards
from thalweg.base import dtypes
from thalweg.kernels.values import Temporary, Value
apart = Apart(Guards({side!r}))
first, second = (Value(n, (10,), dtypes.float32, Temporary(0)) for n in "ab")
arena = apart.temporaries({{first: (0, 1), second: (0, 1)}}, lambda value: 40)
memory = ArenaMemory(arena.size, arena.blocks)
memory.forget()
for value in (first, second):
    ctypes.memset(memory.address + arena.offsets[value], 0, 40)
ctypes.string_at(memory.address + arena.offsets[{name}] + {place}, 1)
"""


@pytest.mark.parametrize("name", ["first", "second"])
@pytest.mark.parametrize(
    ("side", "place", "code"),
    [(END, 39, 0), (END, 40, -signal.SIGSEGV), (BEGIN, 0, 0), (BEGIN, -1, -signal.SIGSEGV)],
)
def test_each_temporary_has_pages_of_its_own(side: str, name: str, place: int, code: int) -> None:
    program = TEMPORARIES.format(side=side, name=name, place=place)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True)
    assert done.returncode == code, done.stderr


def test_what_chains_keep_has_other_places_in_each_of_them() -> None:
    apart = Apart(Guards("end"))
    one, two = (Value(name, (10,), dtypes.float32, Temporary(0)) for name in "ab")
    arenas = [apart.private({value: (0, 0)}, lambda _: 40) for value in (one, two)]
    assert arenas[0].size <= arenas[1].offsets[two] - arenas[1].offsets[two] % PAGE
    apart.begin()
    assert apart.private({one: (0, 0)}, lambda _: 40) == arenas[0]


CHAIN = """
import sys, numpy as np, thalweg as tf
from tests.fuzz.machines import prepare
prepare("host", "end")
x = tf.placeholder(tf.float32, [7, 9, 9, 3])
y = tf.nn.conv2d(tf.tanh(x), tf.Variable(tf.ones([3, 3, 3, 16])), 1, "SAME")
z = tf.nn.max_pool(tf.nn.relu(y), 2, 2, "SAME")
with tf.Session() as session:
    print(session.run(tf.reduce_sum(z), {x: np.ones((7, 9, 9, 3))}))
"""


def test_programs_note_their_kernels(tmp_path: Path) -> None:
    environment = {**os.environ, NOTES: str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", CHAIN], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Sum" in last_kernel(tmp_path)


CASES = """
import os, sys, time
from tests.fuzz import children
children.PATIENCE = 1.0
def run(number):
    if number == 1:
        raise ArithmeticError("one")
    if number == 2:
        raise KeyError("two")
    if number == 3:
        os.abort()
children.serve(int(sys.argv[1]), int(sys.argv[2]), run, ArithmeticError)
"""


def test_children_report_what_goes_wrong() -> None:
    found = list(findings(["-c", CASES], 0, 5))
    kinds = [f.kind if isinstance(f, Finding) else "right" for f in found]
    assert kinds == ["right", "wrong", "error", "crash", "right"]
    crash = found[3]
    assert crash is not None
    assert "SIGABRT" in crash.text
